"""The work behind `sluice train`: data read, options settled, training run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from sluice.cli.train.choices import check, train_options
from sluice.training.data import Columns, DataError, Example, label_order, read_examples
from sluice.training.pipeline import split, train
from sluice.training.record import Record, folder_files, sha256, shipped_texts

if TYPE_CHECKING:
    from sluice.cli.train.progress import Progress
    from sluice.training.pipeline import TrainOptions, TrainResult

VALID_SHARE = 0.1


def run(
    data: Sequence[Path], valid: Sequence[Path], folder: Path, given: Mapping[str, Any], progress: Progress
) -> tuple[TrainResult, TrainOptions]:
    """Trains into `folder`.

    Raises:
        click.ClickException: the data cannot be used.
        click.BadParameter: the options do not go together.
        ModelUnavailable: the base model cannot be had, or cannot be what the options ask for.
    """
    check(given)
    try:
        examples, chosen_by, labels = _read(data, valid, given)
        options = train_options(given)
        if not chosen_by:
            examples, chosen_by = split(examples, VALID_SHARE, options.seed)
    except DataError as error:
        raise click.ClickException(str(error)) from None
    torch.set_num_threads(given["threads"])
    record = Record(options.decisive(), _files(data, valid, options), _command(), given["threads"])
    result = train(
        examples,
        chosen_by,
        labels,
        folder,
        options,
        record,
        progress.say,
        lambda step: progress.step(step, options.fit.epochs),
    )
    return result, options


def _read(
    data: Sequence[Path], valid: Sequence[Path], given: Mapping[str, Any]
) -> tuple[list[Example], list[Example], tuple[str, ...]]:
    columns = Columns(given["text_column"], given["label_column"])
    examples = [example for path in data for example in read_examples(path, None, columns)]
    labels = label_order(examples)
    if len(labels) < 2:
        raise DataError(f"{data[0]}: every label is {labels[0]!r}; two or more are needed.")
    return examples, [example for path in valid for example in read_examples(path, labels, columns)], labels


def _files(data: Sequence[Path], valid: Sequence[Path], options: TrainOptions) -> dict[str, str]:
    """SHA-256 of all that is read, by role and name."""
    files = {
        f"{role} {path.name}": sha256(path) for role, paths in (("data", data), ("valid", valid)) for path in paths
    }
    if options.base is not None and Path(options.base).is_dir():
        files |= folder_files("base", Path(options.base))
    for number, teacher in enumerate(options.teachers, start=1):
        if Path(teacher).is_dir():
            files |= folder_files(f"teacher {number}", Path(teacher))
    return files | shipped_texts()


def _command() -> str:
    return shlex.join(["sluice", *sys.argv[1:]])
