"""`sluice evaluate`: how good a classifier is on labelled messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

BELOW_GATE = 1


@click.command(
    epilog="""
Examples:

\b
  sluice evaluate models/sms-mini labelled.csv
  sluice evaluate my-model notices.csv private=chats.csv -o scores
  sluice evaluate my-model pool.csv --against models/sms-mini
  sluice evaluate my-model pool.csv --gate gates.toml
  sluice evaluate my-model unseen.csv --calibrate
"""
)
@click.argument("model")
@click.argument("pools", nargs=-1, required=True, metavar="[NAME=]FILE...")
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for metrics.json, the table as Markdown and CSV, and pictures.",
)
@click.option("--against", metavar="MODEL", help="Compare with another model on the same messages.")
@click.option(
    "--disagreements",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV for the messages that the two models label differently, with their texts.",
)
@click.option(
    "--gate",
    type=click.Path(path_type=Path, dir_okay=False),
    help="TOML with floors and ceilings; below one of them the command ends with status 1.",
)
@click.option(
    "--calibrate", is_flag=True, help="Fit temperature and thresholds on the messages; write them into MODEL's folder."
)
@click.option(
    "--max-ham-blocked",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="With --calibrate: the share of ham that may be blocked.  [default: 0.005]",
)
@click.option("--force", is_flag=True, help="With --calibrate: also one of Sluice's own models.")
@click.option(
    "--disguised",
    is_flag=True,
    help="Also score copies in disguise, by style: of the bad that is blocked plain, how much is blocked disguised.",
)
@click.option("--text-column", default="text", show_default=True)
@click.option("--label-column", default="label", show_default=True)
@click.option(
    "--max-length", type=click.IntRange(8, 512), default=96, show_default=True, help="Tokens read of a message."
)
@click.option("--batch", type=click.IntRange(1), default=64, show_default=True, help="Messages a forward.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: torch's]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "fp16", "bf16", "int8"]),
    default="auto",
    show_default=True,
    help="As SLUICE_PRECISION.",
)
def evaluate(model: str, pools: tuple[str, ...], **given: Any) -> None:
    """Score MODEL (a folder, a hub id or a .pth file) on labelled CSV files, the way the service runs it.

    Each file is a pool with figures of its own; it is called by its file's name unless NAME= says another.
    """
    from sluice.cli.extras import require

    require("train")
    from sluice.cli.evaluation import Evaluation
    from sluice.cli.output import screen
    from sluice.training.data import DataError

    _check(given)
    try:
        evaluation = Evaluation(model, pools, given, screen())
    except DataError as error:
        raise click.ClickException(str(error)) from None
    evaluation.run()
    if not evaluation.passes():
        click.get_current_context().exit(BELOW_GATE)


def _check(given: dict[str, Any]) -> None:
    """Options that need others."""
    for option, needed in (
        ("disagreements", "against"),
        ("max_ham_blocked", "calibrate"),
        ("force", "calibrate"),
    ):
        if given[option] and not given[needed]:
            raise click.UsageError(f"--{option.replace('_', '-')} needs --{needed}")
    if given["calibrate"] and given["gate"]:
        raise click.UsageError(
            "--gate and --calibrate do not go together: a gate wants messages that nothing is fitted to"
        )
