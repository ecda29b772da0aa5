"""`sluice train`: a classifier from a CSV of labelled messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sluice.training.pipeline import TrainOptions, TrainResult

PRESET_BASES = {"mini": None, "mbert": "bert-base-multilingual-cased"}


@click.command(
    epilog="""
Examples:

\b
  sluice train messages.csv -o my-model
  sluice train train.csv --valid valid.csv -o my-model --threads 2
  sluice train train.csv --preset mbert -o my-mbert --device cuda
  sluice train train.csv --label-column class --text-column body -o my-model
"""
)
@click.argument("data", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--valid",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV to choose the best epoch by.  [default: a tenth of DATA, kept apart]",
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
@click.option("--base", help="Folder or hub id of a model to fine-tune; wins over --preset.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the data.  [default: 28 for mini, 3 otherwise]")
@click.option("--batch", type=click.IntRange(1), help="Messages a step.  [default: 64 for mini, 32 otherwise]")
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), help="[default: 0.0012 for mini, 0.00003 otherwise]"
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
    default=9000,
    show_default=True,
    help="Pieces in the vocabulary (mini only).",
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
def train(data: Path, valid: Path | None, folder: Path, **given: Any) -> None:
    """Train a classifier on the CSV file DATA, which has a text and a label column.

    The model folder that comes out serves as SLUICE_MODEL and as the model of `sluice evaluate`.
    """
    from sluice.cli.extras import require
    from sluice.training.data import Columns, DataError, label_order, read_examples

    require("train")

    given.update(_names(folder, given))
    columns = Columns(given["text_column"], given["label_column"])
    try:
        examples = read_examples(data, None, columns)
        labels = label_order(examples)
        if len(labels) < 2:
            raise DataError(f"{data}: every label is {labels[0]!r}; two or more are needed.")
        chosen_by = read_examples(valid, labels, columns) if valid else []
        options = _options(given)
        result = _run(examples, chosen_by, labels, folder, options, given)
    except DataError as error:
        raise click.ClickException(str(error)) from None
    _show(result, options)


def _names(folder: Path, given: dict[str, Any]) -> dict[str, str]:
    """How the model will be called, before anything is computed."""
    from sluice.config.settings import SHIPPED_MODEL
    from sluice.training.names import checked, model_name

    if folder.resolve() == SHIPPED_MODEL.resolve():
        raise click.BadParameter("Sluice's own model is there: give another folder", param_hint="--output")
    names = {}
    for option, call in (
        ("name", lambda: model_name(given["name"], folder)),
        ("model_version", lambda: checked(given["model_version"])),
    ):
        try:
            names[option] = call()
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint=f"--{option.replace('_', '-')}") from None
    if not given["author"].isprintable():
        raise click.BadParameter("it must be one line of text", param_hint="--author")
    return names


def _options(given: dict[str, Any]) -> TrainOptions:
    from sluice.training.augment import MixOptions
    from sluice.training.fit import FitOptions
    from sluice.training.pipeline import TrainOptions
    from sluice.worker.model.torch_classifier import choose_device

    base = given["base"] or PRESET_BASES[given["preset"]]
    if given["width"] % 32:
        raise click.BadParameter("must be a multiple of 32", param_hint="--width")
    teacher = given["teacher"] if given["teacher"] is not None else not base
    fit = FitOptions(
        epochs=given["epochs"] or (3 if base else 28),
        batch=given["batch"] or (32 if base else 64),
        learning_rate=given["learning_rate"] or (3e-5 if base else 1.2e-3),
        weight_decay=0.01 if base else 0.05,
        token_dropout=0.05 if teacher or not base else 0.0,
        max_length=given["max_length"],
        average=FitOptions.average if teacher or not base else 0.0,
    )
    mix = MixOptions() if teacher else MixOptions(spliced=0.0, teacher_share=0.0)
    return TrainOptions(
        base=base,
        seed=given["seed"],
        fit=fit,
        mix=mix,
        width=given["width"],
        layers=given["layers"],
        heads=given["width"] // 32,
        vocab=given["vocabulary"],
        templates=given["templates"],
        device=str(choose_device(given["device"])),
        name=given["name"],
        version=given["model_version"],
        author=given["author"],
    )


def _run(
    examples: list[Any],
    chosen_by: list[Any],
    labels: tuple[str, ...],
    folder: Path,
    options: TrainOptions,
    given: dict[str, Any],
) -> TrainResult:
    import torch
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from sluice.cli.output import screen
    from sluice.training.fit import Progress as Step
    from sluice.training.pipeline import split, train as run_training

    torch.set_num_threads(given["threads"])
    if not chosen_by:
        examples, chosen_by = split(examples, 0.1, options.seed)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen(stderr=True)) as bar:
        task = bar.add_task("Training", total=None)

        def report(step: Step) -> None:
            text = f"Epoch {step.epoch + 1}/{options.fit.epochs}  loss {step.loss:.3f}"
            bar.update(task, total=step.steps, completed=step.step, description=text)

        return run_training(
            examples, chosen_by, labels, folder, options, lambda line: bar.console.print(line, soft_wrap=True), report
        )


def _show(result: TrainResult, options: TrainOptions) -> None:
    from sluice.cli.output import screen
    from sluice.training.tables import print_scores

    console = screen()
    console.print(f"Best after epoch {result.best_epoch + 1} of {options.fit.epochs}, on the validation data:")
    print_scores(console, result.scores)
    console.print(
        f"Written to {result.folder}, as {options.name} {options.version}. Serve it with SLUICE_MODEL={result.folder}",
        soft_wrap=True,
    )
