"""``sluice up``: the whole service in one terminal."""

from __future__ import annotations

import click

from sluice.cli.worker.option import processes_option


@click.command(
    epilog="""
Examples:

\b
  sluice up
  SLUICE_PORT=9000 sluice up --no-flower
  sluice up --processes auto
  SLUICE_MODEL='simulated:?batch_ms=3&message_us=20' sluice up
  SLUICE_BROKER_URL=redis://localhost/0 sluice up
"""
)
@click.option("--flower/--no-flower", default=True, show_default=True, help="Run Flower on SLUICE_FLOWER_PORT.")
@click.option(
    "--worker/--no-worker", default=True, show_default=True, help="Run a worker here; others may run elsewhere."
)
@processes_option
def up(flower: bool, worker: bool, processes: int) -> int:
    """Run the whole service: web, a worker, Flower, and an embedded Redis unless SLUICE_BROKER_URL is set.

    Each line of output carries its part's name. Ctrl-C or SIGTERM stops all cleanly, web first; a second one
    hurries. A part that ends by itself stops the others, and the exit status is 1.
    """
    from sluice.cli.extras import require
    from sluice.cli.up.service import serve
    from sluice.config.settings import read

    require("web", *["worker"] * worker, *["flower"] * flower)
    return serve(read(), flower=flower, worker=worker, processes=processes)
