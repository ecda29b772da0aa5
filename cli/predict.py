"""``sluice predict``: classify texts from the shell, through the broker or with a model in this process."""

from __future__ import annotations

import sys

import click


@click.command(
    epilog="""
Examples:

\b
  sluice predict "Your parcel is held, pay the fee at dhl-pay.example"
  sluice predict --local --scores "see you at 8"
  sluice predict --verdict "You won! Claim at http://prize.example"
  cut -f2 messages.tsv | sluice predict --json
"""
)
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, in the order of the texts.")
@click.option("--scores", is_flag=True, help="The probability of every label.")
@click.option("--verdict", is_flag=True, help="What to do, allow, flag or block, and the rule that decided.")
@click.option("--local", is_flag=True, help="Run the model in this command; needs no service, and loads it each time.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0.1),
    metavar="S",
    help="Seconds to wait for the answers to each 256 texts.  [default: SLUICE_SYNC_WAIT_S]",
)
def predict(
    texts: tuple[str, ...], as_json: bool, scores: bool, verdict: bool, local: bool, wait_s: float | None
) -> int:
    """Classify each TEXT as one message; `-`, or no TEXT at all, reads one message a line from stdin.

    It talks to the running service's broker, so no web server is needed; with --local not even that. Exit status 1
    when a text got no label, or no verdict where one was asked for.
    """
    from sluice.cli.extras import require

    if not texts and sys.stdin.isatty():
        raise click.UsageError("give a TEXT, or pipe messages in, one a line")
    require(*["worker"] * local)
    from sluice.cli.prediction import run
    from sluice.config.settings import current
    from sluice.tasks.prediction_options import PredictionOptions

    settings = current()
    return run(
        settings,
        texts or ("-",),
        as_json=as_json,
        options=PredictionOptions(scores, verdict or settings.verdict),
        local=local,
        wait_s=wait_s or settings.sync_wait_s,
    )
