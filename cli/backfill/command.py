"""``sluice backfill``: classify an archive."""

from __future__ import annotations

from pathlib import Path

import click

DEFAULT_WINDOW = 32


@click.command(
    epilog="""
Examples:

\b
  sluice backfill archive.csv -o classified.csv
  sluice backfill export.csv -o out.csv --text-column Nachricht
"""
)
@click.argument("source", metavar="IN.csv", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "target", required=True, metavar="OUT.csv", type=click.Path(path_type=Path), help="The result."
)
@click.option(
    "--text-column",
    metavar="NAME",
    help="Column that holds the texts.  [default: text, message, body, sms or content]",
)
@click.option(
    "--lane",
    type=click.Choice(["bulk", "interactive"]),
    default="bulk",
    show_default=True,
    help="Bulk never makes waiting callers wait more than about a batch.",
)
@click.option(
    "--window",
    type=click.IntRange(1, 1024),
    default=DEFAULT_WINDOW,
    show_default=True,
    metavar="N",
    help="Envelopes of 256 rows in flight at once.",
)
def backfill(source: Path, target: Path, text_column: str | None, lane: str, window: int) -> int:
    """Classify every row of IN.csv (UTF-8, with a header) and write OUT.csv.

    OUT.csv has all columns of IN.csv, in the same order of rows, and label, probability, model, version, error. A row
    that cannot be read or classified keeps its place, with the reason in `error`. OUT.csv appears when it is
    complete; Ctrl-C leaves nothing behind. When the broker or the workers go away, it waits for them.
    """
    from cli.backfill.run import run
    from config.settings import current

    return run(current(), source, target, text_column, lane=lane, window=window)
