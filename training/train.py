"""From labelled messages to a model folder: the steps of `sluice train`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sluice.training.augment import Mix
from sluice.training.base import continue_from, start_from
from sluice.training.calibrate import Calibration, calibrate, write_calibration
from sluice.training.card import write_json
from sluice.training.checkpoint import Checkpoint
from sluice.training.data import DataError, Example
from sluice.training.distill import TeacherModel, Teachers
from sluice.training.feedback import Correction
from sluice.training.fit import Run, fit, predict
from sluice.training.folder import describe, save, size_in_words
from sluice.training.head import set_head
from sluice.training.notices import make_notices
from sluice.training.options import TrainOptions
from sluice.training.parts import freeze, put
from sluice.training.pools import Pool, examples_of
from sluice.training.predictions import predictions
from sluice.training.record import FILE as RECORD_FILE, Record
from sluice.training.scores import Scores, score
from sluice.training.selection import Selection
from sluice.training.start import EncoderSize, Start, start_mini
from sluice.training.templates import LABELS as TEMPLATE_LABELS, make_examples
from sluice.training.watcher import Watcher
from sluice.worker.model.loader import load

VOCABULARY_TEMPLATES = 6000
"""Template messages, at most and no more than data, that a new vocabulary is learned from beside the data."""
HEAD_SEED = 0
"""A new head on a base starts alike whatever the seed, so that the weights of several seeds can be averaged."""
VOCABULARY_EPOCHS = 3
"""Epochs whose texts decide which pieces of a base model's vocabulary are kept."""


@dataclass(frozen=True)
class Lessons:
    """What is learned from, and what the epochs are judged by."""

    data: Sequence[Example]
    """Corrections included."""
    valid: Sequence[Pool]
    labels: tuple[str, ...]
    corrections: Sequence[Correction] = ()
    """Those among the data, each once."""

    @property
    def judged_by(self) -> list[Example]:
        """The validation data of all pools."""
        return examples_of(self.valid)


@dataclass(frozen=True)
class TrainResult:
    """What came out."""

    folder: Path
    scores: Scores
    best_epoch: int
    epochs: int
    """That were run."""
    calibration: Calibration
    corrections: dict[str, int]
    """How many were learned from, had been answered rightly, and are now; empty without any."""


def split(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Keeps a `share` of every label apart; returns (to learn from, to choose by).

    Raises DataError when a label has fewer than two messages.
    """
    rng = np.random.default_rng(seed)
    apart: set[int] = set()
    for label in sorted({example.label for example in examples}):
        rows = [row for row, example in enumerate(examples) if example.label == label]
        if len(rows) < 2:
            raise DataError(f"the label {label!r} has one message only; 2 are needed, or a separate validation file.")
        apart.update(int(row) for row in rng.permutation(rows)[: max(1, math.floor(share * len(rows)))])
    kept = [example for row, example in enumerate(examples) if row not in apart]
    return kept, [examples[row] for row in sorted(apart)]


def train(
    lessons: Lessons,
    folder: Path,
    options: TrainOptions,
    record: Record,
    checkpoint: Checkpoint,
    state: dict[str, Any] | None = None,
    watcher: Watcher | None = None,
) -> TrainResult:
    """Trains, keeps the epoch that is best on the validation data, and writes the model folder.

    Args:
        record: what it is made with; the scores after each epoch are added, and it goes into the folder.
        checkpoint: holds the state of the run until the folder is written.
        state: where an earlier run ended, as `checkpoint` has it.

    Raises ModelUnavailable when a model to start from or a teacher cannot be had, or is not what the options ask for;
    and what `watcher.check` raises.
    """
    watcher = watcher or Watcher()
    torch.manual_seed(HEAD_SEED if options.base is not None else options.seed)
    start = _start(lessons, options, watcher)
    freeze(start.model, options.fit.freeze)
    watcher.say(_what_learns(start.model, options))
    mix = _mix(lessons, options, watcher)
    start.model.to(options.device)
    selection = Selection(start, lessons.judged_by, lessons.labels, options.fit, record, watcher)
    run = Run(start.model, options.fit, options.seed, start.pad_id, start.mask_id)
    if state is not None:
        run.load(state["run"])
        selection.load(state["selection"])
        watcher.say(f"Going on in epoch {run.epoch + 1}, after {run.step:,} steps")
    _fit(run, start, mix, selection, checkpoint, watcher, asks=bool(options.teachers))
    start.model.cpu()
    put(start.model, selection.weights)
    result = _finish(start, folder, lessons, options, record, selection.epoch)
    checkpoint.remove()
    return result


def _start(lessons: Lessons, options: TrainOptions, watcher: Watcher) -> Start:
    length = options.fit.max_length
    if options.continued is not None:
        watcher.stage("Loading the model to go on with")
        return continue_from(options.continued, lessons.labels, length)
    if options.base is None:
        watcher.stage("Learning a vocabulary")
        size = EncoderSize(options.width, options.layers, options.heads, options.vocabulary)
        start = start_mini(_new_vocabulary_texts(lessons, options), lessons.labels, size, length)
        set_head(start.model, options.taken.head or "first")
        return start
    watcher.stage("Loading the base model" + (" and cutting its vocabulary" if options.taken.vocabulary else ""))
    texts = _kept_vocabulary_texts(lessons, options) if options.taken.vocabulary else []
    return start_from(options.base, lessons.labels, options.taken, texts, length)


def _what_learns(model: Any, options: TrainOptions) -> str:
    count = sum(value.numel() for value in model.parameters())
    learning = sum(value.numel() for value in model.parameters() if value.requires_grad)
    precision = {"off": "32 bits", "bf16": "bf16 autocast", "fp16": "fp16 autocast"}[options.fit.amp]
    return (
        f"{size_in_words(model.config)}: {learning:,} of {count:,} parameters learn, on {options.device} in {precision}"
    )


def uses_templates(labels: Sequence[str], options: TrainOptions) -> bool:
    """Whether the shipped templates are learned from: only when all of their labels are among `labels`."""
    return options.templates and set(TEMPLATE_LABELS.values()) <= set(labels)


def _new_vocabulary_texts(lessons: Lessons, options: TrainOptions) -> list[str]:
    count = min(VOCABULARY_TEMPLATES, len(lessons.data))
    templates = uses_templates(lessons.labels, options)
    made = [*make_examples(count, seed=0), *make_notices(count, seed=0)] if templates else []
    return [example.text for example in (*lessons.data, *made)]


def _kept_vocabulary_texts(lessons: Lessons, options: TrainOptions) -> list[str]:
    """What some epochs hold: the data, templates, notices, disguised and damaged copies."""
    templates = uses_templates(lessons.labels, options)
    mix = Mix(lessons.data, lessons.labels, options.mix, templates=templates)
    return [text for seed in range(VOCABULARY_EPOCHS) for text in mix.draw(seed)[0]]


def _mix(lessons: Lessons, options: TrainOptions, watcher: Watcher) -> Mix:
    teacher, opinions = None, None
    data, labels = lessons.data, lessons.labels
    if (options.mix.spliced or options.mix.teacher_share) and _enough_to_teach(data, watcher):
        watcher.stage("Asking the linear teachers")
        teacher, opinions = _teach(data, labels, options)
    models = _models(labels, options) if options.teachers else None
    return Mix(data, labels, options.mix, opinions, teacher, uses_templates(labels, options), models)


def _models(labels: Sequence[str], options: TrainOptions) -> Teachers:
    """Raises ModelUnavailable for a teacher that cannot be had, or answers other labels."""
    loaded = [load(TeacherModel(one, options.fit.max_length, options.device)) for one in options.teachers]
    return Teachers(loaded, labels, options.teacher_temperature)


def _enough_to_teach(data: Sequence[Example], watcher: Watcher) -> bool:
    """Whether every label has messages for each of the linear teachers' folds; says so when not."""
    from sluice.training.teacher import FOLDS

    rare = [label for label, count in Counter(example.label for example in data).items() if count < FOLDS]
    if rare:
        watcher.say(f"Without teachers: they need {FOLDS} messages of each label, {', '.join(sorted(rare))} has fewer")
    return not rare


def _teach(data: Sequence[Example], labels: Sequence[str], options: TrainOptions) -> tuple[Any, np.ndarray]:
    """A labeller for spliced messages and its held-out opinions on the data, float32 (messages, labels).

    Teachers see the data alone: with templates among their lessons they agree less with unseen data.
    """
    from sluice.training.teacher import Teacher, held_out_labels

    texts, numbers = [example.text for example in data], [labels.index(example.label) for example in data]
    opinions = held_out_labels(texts, numbers, len(labels), options.seed)
    return Teacher(options.seed).fit(texts, numbers).predict, opinions


def _fit(
    run: Run,
    start: Start,
    mix: Mix,
    selection: Selection,
    checkpoint: Checkpoint,
    watcher: Watcher,
    asks: bool,
) -> None:
    """Runs what is left of the run; its state is saved after each epoch, now and then, and when it is ended."""

    def source(epoch: int, rng: np.random.Generator) -> tuple[list[list[int]], np.ndarray]:
        if asks:
            watcher.stage(f"Epoch {epoch + 1}: asking the teachers")
        texts, targets = mix.draw(int(rng.integers(2**31)))
        return start.encode(texts), targets

    def between(epoch_is_over: bool) -> None:
        try:
            watcher.check()
        except BaseException:
            save_state()
            raise
        if epoch_is_over or checkpoint.due():
            save_state()

    def save_state() -> None:
        checkpoint.save({"run": run.state(), "selection": selection.state()})

    watcher.began()
    fit(run, source, selection.judge, watcher.step, between)
    watcher.ended()


def _finish(
    start: Start, folder: Path, lessons: Lessons, options: TrainOptions, record: Record, epoch: int
) -> TrainResult:
    """Writes the folder, measures what is in it and calibrates it."""
    save(start, folder, options.store)
    examples = lessons.judged_by
    ids = start.encode([example.text for example in examples])
    raw = predict(start.model, ids, start.pad_id)
    calibration, calibrated = calibrate(predictions(examples, raw, lessons.labels))
    scores = score(examples, calibrated.probabilities, lessons.labels)
    describe(folder, lessons.data, scores, options, start)
    write_calibration(folder, calibration, lessons.valid)
    record.corrections = _corrected(start, lessons)
    write_json(folder / RECORD_FILE, record.facts())
    return TrainResult(folder, scores, epoch, len(record.epochs), calibration, record.corrections)


def _corrected(start: Start, lessons: Lessons) -> dict[str, int]:
    """How many corrections there were, how many were answered rightly then, and how many are now."""
    if not lessons.corrections:
        return {}
    ids = start.encode([one.text for one in lessons.corrections])
    guess = predict(start.model, ids, start.pad_id).argmax(axis=1)
    right = [lessons.labels[number] == one.label for number, one in zip(guess, lessons.corrections, strict=True)]
    before = sum(one.answered == one.label for one in lessons.corrections)
    return {"learned": len(right), "right_before": before, "right": sum(right)}
