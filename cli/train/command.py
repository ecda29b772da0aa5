"""`sluice train`: a classifier from a CSV of labelled messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sluice.cli.train.values import LayerCount

PRESET_BASES = {"mini": None, "mbert": "bert-base-multilingual-cased"}
RATE = click.FloatRange(0, min_open=True)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    epilog="""
Examples:

\b
  sluice train messages.csv -o my-model
  sluice train train.csv --valid valid.csv -o my-model --threads 2
  sluice train train.csv --base ./encoder --head mean --vocabulary 40000 -o my-model
  sluice train train.csv --from my-model --feedback corrections.csv -o my-model-2
  sluice train train.csv --teacher-model my-large-model -o my-small-model
  sluice train train.csv --label-column class --text-column body -o my-model
"""
)
@click.argument("data", type=FILE, nargs=-1, required=True)
@click.option(
    "--valid",
    type=FILE,
    multiple=True,
    help="CSV to choose the best epoch by; may be given again.  [default: a tenth of DATA, kept apart]",
)
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("model"),
    show_default=True,
    help="Folder for the model.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESET_BASES)),
    default="mini",
    show_default=True,
    help="mini: a small model from nothing. mbert: fine-tune multilingual BERT.",
)
@click.option("--base", help="Folder or hub id of an encoder to fine-tune; wins over --preset.")
@click.option(
    "--from",
    "continued",
    help="Folder or hub id of a trained classifier to go on with, its head included; at a quarter of its rates.",
)
@click.option(
    "--feedback",
    type=FILE,
    multiple=True,
    help="CSV of reviewed corrections to learn from, too: text, label, and answered or predicted; may be given again.",
)
@click.option(
    "--feedback-weight",
    type=click.IntRange(1, 100),
    default=4,
    show_default=True,
    help="How often an epoch holds each correction.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="Passes over the data.  [default: 28 for mini, 4 with a base, 2 with --from]",
)
@click.option("--patience", type=click.IntRange(1), help="Stop after so many epochs that are no better.")
@click.option("--batch", type=click.IntRange(1), help="Messages a step.  [default: 64 for mini, 32 otherwise]")
@click.option(
    "--learning-rate",
    type=RATE,
    help="Of the highest layer, at its top.  [default: 0.0012 for mini, 0.00008 with a base]",
)
@click.option(
    "--layer-decay",
    type=click.FloatRange(0, 1, min_open=True),
    help="Rate of a layer, as a share of that of the layer above.  [default: 1 for mini, 0.9 with a base]",
)
@click.option(
    "--head-rate",
    type=RATE,
    help="Rate of the classification head.  [default: the learning rate for mini, 0.0003 with a base]",
)
@click.option(
    "--freeze",
    type=LayerCount(),
    help="Keep the word embeddings (0) and the N lowest layers as they are; none: all learns.  "
    "[default: none for mini, 0 with a base]",
)
@click.option("--keep-layers", type=click.IntRange(1), help="Lowest layers of the base to keep.  [default: all]")
@click.option(
    "--head",
    type=click.Choice(["first", "mean"]),
    help="What the head reads: the first position, or the mean over all tokens.  [default: as the base, or first]",
)
@click.option(
    "--amp",
    type=click.Choice(["auto", "off", "bf16", "fp16"]),
    default="auto",
    show_default=True,
    help="Mixed precision; auto: bf16 where the device is quick at it.",
)
@click.option(
    "--max-length", type=click.IntRange(8, 512), default=96, show_default=True, help="Tokens read of a message."
)
@click.option("--layers", type=click.IntRange(1, 24), default=2, show_default=True, help="Layers (mini only).")
@click.option(
    "--width",
    type=click.IntRange(32, 1024),
    default=128,
    show_default=True,
    help="Hidden width, a multiple of 32 (mini only).",
)
@click.option(
    "--vocabulary",
    type=click.IntRange(300),
    help="Pieces in the vocabulary; with a base, those of its own that the messages use most.  "
    "[default: 9000 for mini, all of the base's]",
)
@click.option(
    "--templates/--no-templates",
    default=True,
    show_default=True,
    help="Also learn from the shipped message templates (labels ham, spam, phishing only).",
)
@click.option(
    "--teacher/--no-teacher",
    default=None,
    help="Also learn from linear teachers.  [default: yes for mini, no otherwise]",
)
@click.option(
    "--teacher-model",
    multiple=True,
    help="Also learn what this trained model answers; may be given again, answers are averaged.",
)
@click.option(
    "--teacher-share",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Weight of the trained models' answers beside the labels.",
)
@click.option(
    "--teacher-temperature",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Above 1 softens the trained models' answers.",
)
@click.option(
    "--store",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp16",
    show_default=True,
    help="How the folder holds the weights.",
)
@click.option(
    "--resume/--restart",
    default=None,
    help="Go on with a run that was stopped, from its state beside the output; or begin anew.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="The same seed, data and threads give the same weights.",
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="CPU threads.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:N or auto.")
@click.option("--text-column", default="text", show_default=True)
@click.option("--label-column", default="label", show_default=True)
@click.option("--name", help="The model's name in answers and URLs.  [default: the folder's name]")
@click.option("--model-version", default="1", show_default=True, help="The model's version in answers.")
@click.option("--author", default="unknown", show_default=True, help="The model's author in answers.")
def train(data: tuple[Path, ...], valid: tuple[Path, ...], folder: Path, **given: Any) -> None:
    """Train a classifier on the CSV files DATA, which have a text and a label column.

    The model folder that comes out serves as SLUICE_MODEL and as the model of `sluice evaluate`.
    """
    from sluice.cli.extras import require
    from sluice.cli.output import screen
    from sluice.cli.train.names import chosen_names
    from sluice.cli.train.terminal_display import TerminalDisplay

    require("train")
    given.update(chosen_names(folder, given))
    given["base"] = None if given["continued"] else given["base"] or PRESET_BASES[given["preset"]]
    console = screen(stderr=True)
    with TerminalDisplay(console) as display:
        display.stage(f"Reading {', '.join(path.name for path in (*data, *valid, *given['feedback']))}")
        from sluice.cli.train.run import Files, Stopped, run

        try:
            result, options = run(Files(data, valid, given["feedback"]), folder, given, display)
        except Stopped as stopped:
            display.say(f"sluice: stopped; {stopped}")
            click.get_current_context().exit(stopped.status)
    from sluice.cli.train.summary import show

    show(result, options)
