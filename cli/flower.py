"""``sluice flower``: Flower on the Sluice app."""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from sluice.config.settings import Settings

#: Columns of Flower's task list: the arguments are the envelope's message count, the result its label counts.
COLUMNS = "name,state,args,result,runtime,received,worker,uuid"
#: A worker that starts again has another name: the old one need not be shown for long.
FORGET_WORKERS_S = 60


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""
Examples:

\b
  sluice flower
  FLOWER_BASIC_AUTH=ann:secret sluice flower       with a login, and with its buttons
  sluice flower --url_prefix=flower                behind a proxy
""",
)
@click.argument("flower_args", nargs=-1, type=click.UNPROCESSED)
def flower(flower_args: tuple[str, ...]) -> NoReturn:
    """Run Flower on SLUICE_HOST and SLUICE_FLOWER_PORT. FLOWER_ARGS go to `celery flower` as they are.

    Without a login it only shows: its buttons, which can stop workers and revoke tasks, need FLOWER_BASIC_AUTH.
    """
    from sluice.cli.extras import require
    from sluice.config.settings import current

    require("flower")
    settings = current()
    from sluice.cli.embedded import require_running
    from sluice.cli.ports import require_free

    require_free(settings.host, settings.flower_port, "SLUICE_FLOWER_PORT")
    require_running(settings)
    from sluice.tasks import celery
    from sluice.tasks.server import Server, require_usable

    require_usable(celery)
    _set_environment(settings)
    from sluice.cli import flower_changes

    flower_changes.apply(Server.broker(settings))
    from sluice.cli.celery import run

    options = [f"--address={settings.host}", f"--port={settings.flower_port}", "--logging=error"]
    options += [f"--tasks_columns={COLUMNS}", f"--purge_offline_workers={FORGET_WORKERS_S}"]
    status = run("--quiet", "flower", *options, *flower_args)
    _leave(status)


def _set_environment(settings: Settings) -> None:
    """Give Flower its secrets where other processes of this machine do not see them, as they would in its arguments."""
    for name in [name for name, value in os.environ.items() if name.startswith("FLOWER_") and not value]:
        del os.environ[name]  # Flower takes an empty variable for a value
    if settings.flower_basic_auth:
        os.environ["FLOWER_BASIC_AUTH"] = ",".join(login.get_secret_value() for login in settings.flower_basic_auth)
    if settings.flower_broker_api:
        os.environ["FLOWER_BROKER_API"] = settings.flower_broker_api.get_secret_value()
    if os.environ.pop("FLOWER_UNAUTHENTICATED_API", None):
        # It opens the API, which can revoke and call tasks, to every page that a browser of this machine shows.
        click.echo("sluice: FLOWER_UNAUTHENTICATED_API is not taken: set FLOWER_BASIC_AUTH=user:password", err=True)


def _leave(status: int) -> NoReturn:
    """End at once: Flower's threads wait for the broker, and while that is away the interpreter would wait for them."""
    atexit._run_exitfuncs()  # Flower saves its state here, if it was asked to keep one
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
