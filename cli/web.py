"""``sluice web``: the HTTP front end."""

from __future__ import annotations

import click


@click.command(
    epilog="""
Examples:

\b
  sluice web
  SLUICE_HOST=0.0.0.0 SLUICE_PORT=9000 sluice web
"""
)
def web() -> int:
    """Run the web front end on SLUICE_HOST and SLUICE_PORT.

    It needs no worker to start: /readyz says what is missing. SIGTERM or Ctrl-C lets waiting callers get their
    answers first.
    """
    from sluice.cli.extras import require
    from sluice.config.settings import current

    require("web")
    settings = current()
    from sluice.cli.ports import require_free
    from sluice.web.server import serve

    require_free(settings.host, settings.port, "SLUICE_PORT")
    serve(settings)
    return 0
