"""The work behind `sluice train`: data read, options settled, training run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from sluice.backfill.run import stop
from sluice.cli.train.choices import check, train_options
from sluice.training.base import check_labels
from sluice.training.checkpoint import Checkpoint, StateError
from sluice.training.data import Columns, DataError, label_order, read_examples
from sluice.training.feedback import Joined, join, read_corrections
from sluice.training.pools import Pool, examples_of, read_pools
from sluice.training.record import Record, folder_files, sha256, shipped_texts
from sluice.training.train import Lessons, TrainResult, split, train
from sluice.training.watcher import Watcher
from sluice.worker.model.hub import revision

if TYPE_CHECKING:
    from sluice.cli.train.terminal_display import TerminalDisplay
    from sluice.training.options import TrainOptions
    from sluice.training.watcher import Step

VALID_SHARE = 0.1


@dataclass(frozen=True)
class Files:
    """What is read."""

    data: Sequence[Path]
    valid: Sequence[Path]
    feedback: Sequence[Path]


class Stopped(Exception):
    """Ctrl-C or SIGTERM while training; says how to go on."""

    def __init__(self, status: int, checkpoint: Checkpoint) -> None:
        super().__init__(f"the state is in {checkpoint.path}: the same command with --resume goes on")
        self.status = status


def run(
    files: Files, folder: Path, given: Mapping[str, Any], display: TerminalDisplay
) -> tuple[TrainResult, TrainOptions]:
    """Trains into `folder`.

    Raises:
        click.ClickException: the data or the state of an earlier run cannot be used.
        click.BadParameter: the options do not go together.
        ModelUnavailable: a model to start from or a teacher cannot be had, or is not what the options ask for.
        Stopped: by a signal.
    """
    check(given)
    torch.set_num_threads(given["threads"])
    try:
        options = train_options(given)
        lessons = _read(files, given, options, display)
        record = Record(options.decisive(), _hashes(files, options), _command(), given["threads"])
        checkpoint = Checkpoint(folder, record.decisive())
        state = _state(checkpoint, given["resume"], display)
    except (DataError, StateError) as error:
        raise click.ClickException(str(error)) from None
    watcher = _Watcher(display, options.fit.epochs)
    try:
        return train(lessons, folder, options, record, checkpoint, state, watcher), options
    except stop.Stopped as stopped:
        raise Stopped(stopped.status, checkpoint) from None


class _Watcher(Watcher):
    """Shows what happens, and ends the run between two steps after Ctrl-C or SIGTERM."""

    def __init__(self, display: TerminalDisplay, epochs: int) -> None:
        self._display = display
        self._epochs = epochs
        self._stop = stop.Stop()

    def stage(self, doing: str) -> None:
        self._display.stage(doing)

    def say(self, line: str) -> None:
        self._display.say(line)

    def began(self) -> None:
        self._stop.install()

    def step(self, step: Step) -> None:
        self._display.step(step, self._epochs)

    def check(self) -> None:
        self._stop.check()

    def ended(self) -> None:
        self._stop.remove()
        self._display.stage("Writing the model")


def _state(checkpoint: Checkpoint, resume: bool | None, display: TerminalDisplay) -> dict[str, Any] | None:
    """The state to go on with, if that is wanted.

    Raises StateError when there is one and nobody says what to do about it, or it is another run's.
    """
    if not checkpoint.path.exists():
        if resume:
            display.say(f"There is no {checkpoint.path.name} of an earlier run: training begins")
        return None
    if resume is None:
        raise StateError(
            f"{checkpoint.path} is the state of a run that did not end: give --resume to go on with it, "
            "or --restart to begin anew."
        )
    return checkpoint.read() if resume else None


def _read(files: Files, given: Mapping[str, Any], options: TrainOptions, display: TerminalDisplay) -> Lessons:
    columns = Columns(given["text_column"], given["label_column"])
    examples = [example for path in files.data for example in read_examples(path, None, columns)]
    labels = label_order(examples)
    if len(labels) < 2:
        raise DataError(f"{files.data[0]}: every label is {labels[0]!r}; two or more are needed.")
    if options.continued is not None:
        labels = check_labels(options.continued, labels)
    corrections = read_corrections(files.feedback, labels, columns)
    if files.valid:
        valid = read_pools({str(path): path for path in files.valid}, labels, columns)
    else:
        examples, apart = split(examples, VALID_SHARE, options.seed)
        valid = [Pool("validation", f"a tenth of {files.data[0].name}", sha256(files.data[0]), tuple(apart))]
    joined = join(examples, corrections, examples_of(valid), options.feedback_weight)
    if corrections:
        display.say(_of_corrections(joined))
    return Lessons(joined.data, valid, labels, joined.corrections)


def _of_corrections(joined: Joined) -> str:
    parts = [f"{len(joined.corrections):,} corrections are learned from"]
    if joined.held_out:
        parts.append(f"{joined.held_out:,} are not, since the validation data hold their texts")
    if joined.overruled:
        parts.append(f"{joined.overruled:,} messages of the data go, since a correction gives them another label")
    return "; ".join(parts)


def _hashes(files: Files, options: TrainOptions) -> dict[str, str]:
    """SHA-256 of all that is read, by role and name, and the revisions of models from the hub."""
    roles = {"data": files.data, "valid": files.valid, "feedback": files.feedback}
    found = {
        f"{role} {number} ({path.name})": sha256(path)
        for role, paths in roles.items()
        for number, path in enumerate(paths, start=1)
    }
    models = [
        ("base", options.base),
        ("from", options.continued),
        *(("teacher-model", one) for one in options.teachers),
    ]
    for role, spec in models:
        if spec is not None:
            found |= _model_hashes(role, spec)
    return found | shipped_texts()


def _model_hashes(role: str, spec: str) -> dict[str, str]:
    path = Path(spec).expanduser()
    if path.is_dir():
        return folder_files(f"{role} {path.resolve().name}", path)
    return {f"{role} {spec}": revision(spec, f"--{role}")}


def _command() -> str:
    return shlex.join(["sluice", *sys.argv[1:]])
