"""``sluice predict``: classify texts from the shell, through the broker."""

from __future__ import annotations

import click


@click.command(
    epilog="""
Examples:

\b
  sluice predict "Your parcel is held, pay the fee at dhl-pay.example"
  sluice predict --json "see you at 8"
  cut -f2 messages.tsv | sluice predict -
"""
)
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, in the order of the texts.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0.1),
    metavar="S",
    help="Seconds to wait for the answers to each 256 texts.  [default: SLUICE_SYNC_WAIT_S]",
)
def predict(texts: tuple[str, ...], as_json: bool, wait_s: float | None) -> int:
    """Classify TEXT..., each as one message; `-` reads one message a line from stdin.

    It talks to the running service's broker, so no web server is needed. Exit status 1 when a text got no label.
    """
    from sluice.cli.answers import run
    from sluice.config.settings import current

    settings = current()
    return run(settings, texts, as_json=as_json, wait_s=wait_s or settings.sync_wait_s)
