"""From a CSV to a model folder: the steps of `sluice train`."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from sluice.config.settings import read
from sluice.training.amp import resolve
from sluice.training.augment import Mix, MixOptions, disguised
from sluice.training.base import BaseOptions, start_from
from sluice.training.card import write_card, write_json
from sluice.training.data import DataError, Example
from sluice.training.distill import Teachers
from sluice.training.fit import FitOptions, Progress, Run, Swapped, fit, predict
from sluice.training.head import architecture, set_head
from sluice.training.notices import make_notices
from sluice.training.parts import Weights, freeze, put
from sluice.training.plots import save_confusion
from sluice.training.record import FILE as RECORD_FILE, Record
from sluice.training.scores import Scores, score
from sluice.training.start import Shape, Start, start_mini
from sluice.training.templates import LABELS as TEMPLATE_LABELS, make_examples
from sluice.worker.model.disguise import KEY, NORMALIZATION
from sluice.worker.model.loader import load

Report = Callable[[Progress], None]
Say = Callable[[str], None]

VOCABULARY_TEMPLATES = 6000
"""Template messages, at most and no more than data, that a new vocabulary is learned from beside the data."""
HEAD_SEED = 0
"""A new head on a base starts alike whatever the seed, so that the weights of several seeds can be averaged."""
VOCABULARY_EPOCHS = 3
"""Epochs whose texts decide which pieces of a base model's vocabulary are kept."""


@dataclass(frozen=True)
class TrainOptions:
    """All that decides what comes out, besides the data."""

    base: str | None = None
    """A folder or hub id to fine-tune; None trains the small model from nothing."""
    teachers: tuple[str, ...] = ()
    """Trained classifiers whose answers are learned beside the labels."""
    taken: BaseOptions = field(default_factory=BaseOptions)
    """What is taken of the base, and the head of either."""
    seed: int = 1
    fit: FitOptions = field(default_factory=FitOptions)
    mix: MixOptions = field(default_factory=MixOptions)
    width: int = 128
    layers: int = 2
    heads: int = 4
    vocab: int = 6000
    templates: bool = True
    device: str = "cpu"
    name: str = "model"
    version: str = "1"
    author: str = "unknown"

    def decisive(self) -> dict[str, Any]:
        """What the weights depend on, as plain values, without paths."""
        choices = {name: value for name, value in asdict(self).items() if name not in ("name", "version", "author")}
        if self.base is not None and Path(self.base).is_dir():
            choices["base"] = Path(self.base).resolve().name
        choices["teachers"] = [Path(one).resolve().name if Path(one).is_dir() else one for one in self.teachers]
        return choices


@dataclass(frozen=True)
class TrainResult:
    """What came out."""

    folder: Path
    scores: Scores
    best_epoch: int
    epochs: int
    """That were run."""


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
    data: Sequence[Example],
    valid: Sequence[Example],
    labels: Sequence[str],
    folder: Path,
    options: TrainOptions,
    record: Record,
    say: Say = print,
    report: Report | None = None,
) -> TrainResult:
    """Trains, keeps the epoch that is best on `valid` and on disguised copies of it, and writes the model folder.

    What `record` is made with, and the scores after each epoch, go into the folder.
    Raises ModelUnavailable when `options.base` cannot be had, or cannot be what the options ask for.
    """
    device = torch.device(options.device)
    options = replace(options, fit=replace(options.fit, amp=resolve(options.fit.amp, device)))
    torch.manual_seed(HEAD_SEED if options.base is not None else options.seed)
    start = _start(data, labels, options, say)
    freeze(start.model, options.fit.freeze)
    say(_what_learns(start.model, options))
    mix = _mix(data, labels, options, say)
    start.model.to(device)
    best = _fit_best(start, mix, valid, labels, options, record, say, report)
    start.model.cpu()
    put(start.model, best.weights)
    _save(start, folder)
    scores = _measure(start, valid, labels)
    _describe(folder, data, scores, options, start)
    write_json(folder / RECORD_FILE, record.facts())
    return TrainResult(folder, scores, best.epoch, len(record.epochs))


def _start(data: Sequence[Example], labels: Sequence[str], options: TrainOptions, say: Say) -> Start:
    length = options.fit.max_length
    if options.base is None:
        say("Learning a vocabulary")
        shape = Shape(options.width, options.layers, options.heads, options.vocab)
        start = start_mini(_new_vocabulary_texts(data, labels, options), labels, shape, length)
        set_head(start.model, options.taken.head or "first")
        return start
    say("Loading the base model" + (" and cutting its vocabulary" if options.taken.vocabulary else ""))
    texts = _kept_vocabulary_texts(data, labels, options) if options.taken.vocabulary else []
    return start_from(options.base, labels, options.taken, texts, length)


def _what_learns(model: Any, options: TrainOptions) -> str:
    count = sum(value.numel() for value in model.parameters())
    learning = sum(value.numel() for value in model.parameters() if value.requires_grad)
    precision = {"off": "32 bits", "bf16": "bf16 autocast", "fp16": "fp16 autocast"}[options.fit.amp]
    return f"{_shape(model.config)}: {learning:,} of {count:,} parameters learn, on {options.device} in {precision}"


def _mix(data: Sequence[Example], labels: Sequence[str], options: TrainOptions, say: Say) -> Mix:
    teacher, opinions = None, None
    if (options.mix.spliced or options.mix.teacher_share) and _enough_to_teach(data, say):
        say("Asking the linear teachers")
        teacher, opinions = _teach(data, labels, options)
    models = _models(labels, options) if options.teachers else None
    return Mix(data, labels, options.mix, opinions, teacher, uses_templates(labels, options), models)


def _models(labels: Sequence[str], options: TrainOptions) -> Teachers:
    """Raises ModelUnavailable for a teacher that cannot be had, or answers other labels."""
    loaded = [
        load(read(model=one, device=options.device, precision="fp32", max_text_length=options.fit.max_length))
        for one in options.teachers
    ]
    return Teachers(loaded, labels)


def uses_templates(labels: Sequence[str], options: TrainOptions) -> bool:
    """Whether the shipped templates are learned from: only when all of their labels are among `labels`."""
    return options.templates and set(TEMPLATE_LABELS.values()) <= set(labels)


def _new_vocabulary_texts(data: Sequence[Example], labels: Sequence[str], options: TrainOptions) -> list[str]:
    count = min(VOCABULARY_TEMPLATES, len(data))
    made = [*make_examples(count, seed=0), *make_notices(count, seed=0)] if uses_templates(labels, options) else []
    return [example.text for example in (*data, *made)]


def _kept_vocabulary_texts(data: Sequence[Example], labels: Sequence[str], options: TrainOptions) -> list[str]:
    """What some epochs hold: the data, templates, notices, disguised and damaged copies."""
    mix = Mix(data, labels, options.mix, templates=uses_templates(labels, options))
    return [text for seed in range(VOCABULARY_EPOCHS) for text in mix.draw(seed)[0]]


def _enough_to_teach(data: Sequence[Example], say: Say) -> bool:
    """Whether every label has messages for each of the teachers' folds; says so when not."""
    from sluice.training.teacher import FOLDS

    rare = [label for label, count in Counter(example.label for example in data).items() if count < FOLDS]
    if rare:
        say(f"Without teachers: they need {FOLDS} messages of each label, {', '.join(sorted(rare))} has fewer")
    return not rare


def _teach(data: Sequence[Example], labels: Sequence[str], options: TrainOptions) -> tuple[Any, np.ndarray]:
    """A labeller for spliced messages and its held-out opinions on the data, float32 (messages, labels).

    Teachers see the data alone: with templates among their lessons they agree less with unseen data.
    """
    from sluice.training.teacher import Teacher, held_out_labels

    texts, numbers = [example.text for example in data], [labels.index(example.label) for example in data]
    opinions = held_out_labels(texts, numbers, len(labels), options.seed)
    return Teacher(options.seed).fit(texts, numbers).predict, opinions


@dataclass
class _Best:
    epoch: int = -1
    sum_of_f1: float = -1.0
    """Macro-F1 on the validation data plus macro-F1 on disguised copies of it."""
    weights: Weights = field(default_factory=dict)


def _fit_best(
    start: Start,
    mix: Mix,
    valid: Sequence[Example],
    labels: Sequence[str],
    options: TrainOptions,
    record: Record,
    say: Say,
    report: Report | None,
) -> _Best:
    best = _Best()
    disguise = disguised(valid, seed=5)

    def source(epoch: int, rng: np.random.Generator) -> tuple[list[list[int]], np.ndarray]:
        texts, targets = mix.draw(int(rng.integers(2**31)))
        return start.encode(texts), targets

    def epoch_end(epoch: int, loss: float, weights: Weights) -> bool:
        with Swapped(start.model, weights):
            plain, hidden = (_measure(start, one, labels, options.fit.amp).macro_f1 for one in (valid, disguise))
        say(
            f"Epoch {epoch + 1} of {options.fit.epochs}: loss {loss:.4f}, macro-F1 {plain:.4f}, "
            f"on disguised copies {hidden:.4f}"
        )
        scores = {"loss": round(loss, 5), "macro_f1": round(plain, 5), "disguised_macro_f1": round(hidden, 5)}
        record.epochs.append({"epoch": epoch + 1, **scores})
        if plain + hidden > best.sum_of_f1:
            best.epoch, best.sum_of_f1 = epoch, plain + hidden
            best.weights = {name: value.cpu() for name, value in weights.items()}
        return _goes_on(epoch, best.epoch, options.fit, say)

    run = Run(start.model, options.fit, options.seed, start.pad_id, start.mask_id)
    fit(run, source, report, epoch_end)
    return best


def _goes_on(epoch: int, best: int, options: FitOptions, say: Say) -> bool:
    if options.patience is None or epoch - best < options.patience:
        return True
    say(f"Stopped early: no better for {epoch - best} epochs")
    return False


def _measure(start: Start, examples: Sequence[Example], labels: Sequence[str], amp: str = "off") -> Scores:
    ids = start.encode([example.text for example in examples])
    return score(examples, predict(start.model, ids, start.pad_id, amp=amp), labels)


def _save(start: Start, folder: Path) -> None:
    """Weights in half precision, and the model in memory rounded alike, so that scores are those of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: value.detach().half().contiguous() for name, value in start.model.state_dict().items()}
    start.model.load_state_dict({name: value.float() for name, value in halves.items()})
    save_file(halves, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    start.model.config.architectures = [architecture(start.model)]
    start.model.config.save_pretrained(str(folder))
    start.save_tokenizer(folder)


def _describe(folder: Path, data: Sequence[Example], scores: Scores, options: TrainOptions, start: Start) -> None:
    facts = {
        "name": options.name,
        "version": options.version,
        "architecture": f"{architecture(start.model)}, {_shape(start.model.config)}",
        "author": options.author,
        "last_training": dt.datetime.now(dt.UTC).date().isoformat(),
        "parameters": sum(value.numel() for value in start.model.parameters()),
        "messages": len(data),
        KEY: NORMALIZATION,
        "metrics": {"macro_f1": round(scores.macro_f1, 4), "accuracy": round(scores.accuracy, 4)},
    }
    write_json(folder / "sluice.json", facts)
    write_json(folder / "metrics.json", scores.as_dict())
    save_confusion(scores, folder / "confusion.png", f"{options.name} {options.version}")
    write_card(folder, facts, data, scores)


def _shape(config: Any) -> str:
    layers = getattr(config, "num_hidden_layers", None)
    return f"{layers} layers of {getattr(config, 'hidden_size', '?')}" if layers else "unknown shape"
