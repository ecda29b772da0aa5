"""``sluice backfill``: classify archives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sluice.backfill.formats.table import FORMATS, NAMES
from sluice.backfill.outputs.table import OUTPUTS, STREAM_DEFAULT
from sluice.backfill.run.plan import DEFAULT_MAX_IN_FLIGHT
from sluice.cli.completion import files

#: Of files that are written.
SUFFIXES = " ".join(suffix for one in OUTPUTS for suffix in one.suffixes)
#: What is read, as people call it.
TITLES = "; ".join(one.title.replace("`", "") for one in FORMATS)
HELP = f"""Classify every message of IN... (files, globs, folders, or - for standard input) and write OUT.

Reads {TITLES} (a message a line); also packed as .gz, .bz2, .zst or .zip.
OUT has all columns of IN, in the same order of rows, and label, probability, model, version, error. A row that
cannot be read or classified keeps its place, with the reason in `error`.

OUT appears when it is complete. After Ctrl-C or a crash of whatever part, the same command carries on; what it
needs for that is in OUT.sluice. When the broker or the workers go away, it waits for them. With `-o -` the rows go
to standard output as they are answered; such a run cannot be carried on.
"""


@click.command(
    help=HELP,
    epilog="""
Examples:

\b
  sluice backfill archive.csv -o classified.csv
  sluice backfill exports/ 'more/*.jsonl.gz' -o classified.parquet --report report.html
  sluice backfill export.csv -o out.csv --text-column Nachricht --sender-column Von
  zcat dump.gz | sluice backfill - -o out.sqlite
  sluice backfill messages.txt -o - | jq -r .label
  sluice backfill sms-20261105.xml -o out.jsonl --local
""",
)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True, shell_complete=files)
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="The result; - for standard output.",
)
@click.option(
    "--to",
    "--output-format",
    "output_format",
    type=click.Choice(tuple(one.name for one in OUTPUTS)),
    help=f"Format of OUT.  [default: by its suffix: {SUFFIXES}; {STREAM_DEFAULT} for -]",
)
@click.option("--format", type=click.Choice(NAMES), help="Format of IN.  [default: found out from the content]")
@click.option(
    "--text-column",
    metavar="NAME",
    help="Column that holds the texts.  [default: text, message, body, sms or content]",
)
@click.option("--sender-column", metavar="NAME", help="Column that holds the senders, for the report.")
@click.option("--time-column", metavar="NAME", help="Column that holds the times, for the report.")
@click.option("--encoding", metavar="NAME", help="Encoding of CSV.  [default: found out from the content]")
@click.option("--delimiter", metavar="CHAR", help="Delimiter of CSV.  [default: found out from the content]")
@click.option(
    "--date-order", type=click.Choice(["dmy", "mdy", "ymd"]), help="Order of dates in WhatsApp.  [default: found out]"
)
@click.option("--scores", is_flag=True, help="One more column per class, with its probability.")
@click.option(
    "--verdict", is_flag=True, help="Two more columns: verdict (allow, flag, block) and the rule that decided."
)
@click.option("--report", type=click.Path(path_type=Path), metavar="PAGE.html", help="Write a page with pictures too.")
@click.option("--include-text", is_flag=True, help="Let the report show some messages and full senders.")
@click.option("--restart", is_flag=True, help="Begin anew in place of carrying on after a stop.")
@click.option("--local", is_flag=True, help="Run the model in this process: no broker, no workers.")
@click.option(
    "--lane",
    type=click.Choice(["bulk", "interactive"]),
    default="bulk",
    show_default=True,
    help="Bulk never makes waiting callers wait more than about a batch.",
)
@click.option(
    "--window",
    type=click.IntRange(1, 1_000_000),
    default=DEFAULT_MAX_IN_FLIGHT,
    show_default=True,
    metavar="N",
    help="Most messages under way at once; fewer when the workers are slower.",
)
def backfill(inputs: tuple[str, ...], **options: Any) -> int:
    """What ``HELP`` says."""
    from sluice.cli.extras import require

    require("backfill", *["worker"] * options["local"])
    from sluice.cli.backfill.run import run
    from sluice.config.settings import current

    return run(current(), inputs, **options)
