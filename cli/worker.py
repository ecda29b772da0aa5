"""``sluice worker``: Celery's worker on the Sluice app."""

from __future__ import annotations

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""
Examples:

\b
  sluice worker
  sluice worker --hostname gpu0@%h
  SLUICE_BROKER_URL=amqp://user:secret@rabbit// SLUICE_RESULT_BACKEND=redis://results/0 sluice worker
""",
)
@click.argument("celery_args", nargs=-1, type=click.UNPROCESSED)
def worker(celery_args: tuple[str, ...]) -> int:
    """Run one worker: it loads the model, then takes envelopes from both lanes.

    CELERY_ARGS go to `celery worker` as they are. SIGTERM or Ctrl-C finishes what is in the model, stores and
    acknowledges it, and leaves the rest to the broker.
    """
    from config.settings import current

    settings = current()
    from cli.embedded import require_running

    require_running(settings)
    import warnings

    from celery.exceptions import SecurityWarning

    # Celery warns about root because of pickle, which this app neither sends nor accepts.
    warnings.simplefilter("ignore", SecurityWarning)
    from cli.celery import run

    return run("--quiet", "worker", "--loglevel", settings.log_level, *celery_args)
