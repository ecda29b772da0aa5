"""``sluice bench``: the measurements behind ``docs/benchmarks.md``, one command each."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec

import click

from sluice.cli.lazy import LazyGroup, Target

TARGETS = {
    "http": Target("bench.commands:http", "HTTP to model and back: closed and open loop, jobs, a burst."),
    "peers": Target("bench.commands:peers", "Sluice beside other ways to serve the same model."),
    "sweep": Target("bench.commands:sweep", "Largest batch and longest wait, at 50 connections."),
    "modes": Target("bench.commands:modes", "No, static and dynamic batching; latency by text length."),
    "mechanisms": Target("bench.commands:mechanisms", "What each mechanism buys: one switched off at a time."),
    "scale": Target("bench.commands:scale", "1, 2 and 4 workers on one queue."),
    "worker": Target("bench.commands:worker", "Queued tasks: the worker beside celery-batches and plain Celery."),
    "backfill": Target("bench.commands:backfill", "Archives end to end, beside the forward alone and celery-batches."),
    "lanes": Target("bench.commands:lanes", "A backfill and interactive messages on one worker."),
    "memory": Target("bench.commands:memory", "A backfill's memory and what waits in the broker, by rows."),
    "device": Target("bench.commands:device", "The forward alone: batch sizes, lengths, precisions, packed or padded."),
    "backlog": Target("bench.commands:backlog", "A backlog through the queue, beside the forward alone."),
    "gpu": Target("bench.commands:gpu", "Everything that matters on a CUDA machine, in one go."),
}

EPILOG = """
Examples:

\b
  sluice bench http                     a few minutes, then bench-results/http/
  sluice bench http --runs 1 --broker rabbitmq
  sluice bench sweep --out results      CSV, plots and manifest.json in results/

Each starts its own Redis, RabbitMQ, web process and workers, and ends them. docs/bench.md says what each file means.
"""


class CheckoutGroup(LazyGroup):
    """Says at once, whatever it is asked, that what it needs is in a checkout only."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if find_spec("sluice.bench") is None:
            raise click.ClickException(
                "`sluice bench` needs a checkout of Sluice: what it measures with is in no package"
            )
        return super().parse_args(ctx, args)


@click.group(cls=CheckoutGroup, targets=TARGETS, epilog=EPILOG)
def bench() -> None:
    """Measure Sluice: CSV files, plots, and a manifest of how they were made.

    Needs a checkout and the extra: pip install -e '.[bench]' -c constraints.txt
    """
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, _: object) -> None:
    """Leave as Ctrl-C does, so that the servers and the service end too."""
    sys.exit(128 + number)
