"""``sluice worker``: Celery's worker on the Sluice app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sluice.cli.worker.option import processes_option

if TYPE_CHECKING:
    from sluice.config.settings import Settings


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""
Examples:

\b
  sluice worker
  sluice worker --hostname gpu0@%h
  sluice worker --processes auto
  SLUICE_BROKER_URL=amqp://user:secret@rabbit// SLUICE_RESULT_BACKEND=redis://results/0 sluice worker
""",
)
@processes_option
@click.argument("celery_args", nargs=-1, type=click.UNPROCESSED)
def worker(processes: int, celery_args: tuple[str, ...]) -> int:
    """Run a worker: it loads the model, then takes envelopes from both lanes.

    Each worker has a node name of its own (sluice-3f9c2a@host) unless --hostname gives it one. With several processes
    each has a CUDA device, or a share of the cores; one that ends by itself stops the others.

    CELERY_ARGS go to `celery worker` as they are. SIGTERM or Ctrl-C finishes what is in the model, stores and
    acknowledges it, and leaves the rest to the broker.
    """
    from sluice.cli.extras import require
    from sluice.config.settings import current

    require("worker")
    settings = current()
    from sluice.cli.embedded import require_running

    require_running(settings)
    if processes != 1:
        status = _several(settings, processes, celery_args)
        if status is not None:
            return status
    return _one(settings, celery_args)


def _several(settings: Settings, processes: int, celery_args: Sequence[str]) -> int | None:
    """The exit status; None when one process is enough."""
    import signal

    from sluice.cli.worker.workers import make_parts, serve

    if any(argument.startswith(("-n", "--hostname")) for argument in celery_args):
        raise click.UsageError(
            "several processes get names of their own: leave --hostname out, or start them one by one"
        )
    parts = make_parts(settings, processes, celery_args, on_orphan=signal.SIGTERM)
    return serve(parts) if len(parts) > 1 else None


def _one(settings: Settings, celery_args: Sequence[str]) -> int:
    """Celery's worker, in this process."""
    import warnings

    from celery.exceptions import SecurityWarning

    # Celery warns about root because of pickle, which this app neither sends nor accepts.
    warnings.simplefilter("ignore", SecurityWarning)
    from sluice.cli.celery import run

    return run("--quiet", "worker", "--loglevel", settings.log_level, *celery_args)
