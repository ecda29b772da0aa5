"""``sluice flower``: Flower on the Sluice app."""

from __future__ import annotations

import os

import click

#: Columns of Flower's task list: the arguments are the envelope's message count, the result its label counts.
COLUMNS = "name,state,args,result,runtime,received,worker,uuid"


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("flower_args", nargs=-1, type=click.UNPROCESSED)
def flower(flower_args: tuple[str, ...]) -> int:
    """Run Flower on SLUICE_HOST and SLUICE_FLOWER_PORT. FLOWER_ARGS go to `celery flower` as they are."""
    from sluice.config.settings import current

    settings = current()
    from sluice.cli.embedded import require_running

    require_running(settings)
    for name in [name for name, value in os.environ.items() if name.startswith("FLOWER_") and not value]:
        del os.environ[name]  # Flower takes an empty variable for a value
    # Flower's API can revoke and call tasks; without a login it stays off, whatever the environment says.
    os.environ.pop("FLOWER_UNAUTHENTICATED_API", None)
    from sluice.cli.celery import run

    options = [f"--address={settings.host}", f"--port={settings.flower_port}", "--logging=error"]
    options.append(f"--tasks_columns={COLUMNS}")
    return run("--quiet", "flower", *options, *flower_args)
