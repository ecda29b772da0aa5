"""``sluice config``: every setting, its value, where it came from and what it means."""

from __future__ import annotations

import click


@click.command(
    epilog="""
Examples:

\b
  sluice config
  SLUICE_PORT=9000 sluice config
  sluice config --json | jq '.[] | select(.source != "default")'
"""
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list in place of the table.")
def config(as_json: bool) -> None:
    """Show every setting, its value, where it came from and what it means.

    Passwords and keys are masked. Wrong settings end with one line on stderr and exit status 2.
    """
    from dataclasses import asdict

    from sluice.config.describe import rows
    from sluice.config.settings import read

    table = rows(read())
    if as_json:
        import orjson

        click.echo(orjson.dumps([asdict(row) for row in table], option=orjson.OPT_INDENT_2).decode())
        return
    from rich.table import Table
    from rich.text import Text

    from sluice.cli.output import screen

    shown = Table("Setting", "Value", "Source", "Meaning", row_styles=["", "dim"], box=None, pad_edge=False)
    shown.columns[0].no_wrap = True
    shown.columns[1].overflow = "fold"
    for row in table:
        style = "" if row.source == "default" else "bold green"
        shown.add_row(Text(row.name, style), Text(row.value, style), Text(row.source, style), Text(row.meaning))
    screen().print(shown)
