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

from sluice.training.augment import Mix, MixOptions, disguised
from sluice.training.card import write_card, write_json
from sluice.training.data import DataError, Example
from sluice.training.fit import FitOptions, Progress, fit, predict
from sluice.training.notices import make_notices
from sluice.training.plots import save_confusion
from sluice.training.scores import Scores, score
from sluice.training.start import Shape, Start, start_from, start_mini
from sluice.training.templates import LABELS as TEMPLATE_LABELS, make_examples

Report = Callable[[Progress], None]
Say = Callable[[str], None]

VOCABULARY_TEMPLATES = 6000
"""Template messages, at most and no more than data, that the vocabulary is learned from beside the data."""


@dataclass(frozen=True)
class TrainOptions:
    """All that decides what comes out, besides the data."""

    base: str | None = None
    """A folder or hub id to fine-tune; None trains the small model from nothing."""
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


@dataclass(frozen=True)
class TrainResult:
    """What came out."""

    folder: Path
    scores: Scores
    best_epoch: int


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
    say: Say = print,
    report: Report | None = None,
) -> TrainResult:
    """Trains, keeps the epoch that is best on `valid` and on disguised copies of it, and writes the model folder.

    Raises ModelUnavailable when `options.base` cannot be had.
    """
    torch.manual_seed(options.seed)
    teacher, opinions = None, None
    if options.base is not None:
        start = start_from(options.base, labels, options.fit.max_length)
    else:
        shape = Shape(options.width, options.layers, options.heads, options.vocab)
        start = start_mini(_vocabulary_texts(data, labels, options), labels, shape, options.fit.max_length)
    if (options.mix.spliced or options.mix.teacher_share) and _enough_to_teach(data, say):
        say("Asking the linear teachers")
        teacher, opinions = _teach(data, labels, options)
    mix = Mix(data, labels, options.mix, opinions, teacher, uses_templates(labels, options))
    best = _fit_best(start, mix, valid, labels, options, say, report)
    start.model.load_state_dict(best.weights)
    _save(start, folder)
    scores = _measure(start, valid, labels)
    _describe(folder, data, scores, options, start)
    return TrainResult(folder, scores, best.epoch)


def uses_templates(labels: Sequence[str], options: TrainOptions) -> bool:
    """Whether the shipped templates are learned from: only when all of their labels are among `labels`."""
    return options.templates and set(TEMPLATE_LABELS.values()) <= set(labels)


def _vocabulary_texts(data: Sequence[Example], labels: Sequence[str], options: TrainOptions) -> list[str]:
    count = min(VOCABULARY_TEMPLATES, len(data))
    made = [*make_examples(count, seed=0), *make_notices(count, seed=0)] if uses_templates(labels, options) else []
    return [example.text for example in (*data, *made)]


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
    weights: dict[str, torch.Tensor] = field(default_factory=dict)


def _fit_best(
    start: Start,
    mix: Mix,
    valid: Sequence[Example],
    labels: Sequence[str],
    options: TrainOptions,
    say: Say,
    report: Report | None,
) -> _Best:
    best = _Best()
    model = start.model.to(options.device)
    judge = start.copy().to(options.device)
    disguise = disguised(valid, seed=5)

    def source(epoch: int, rng: np.random.Generator) -> tuple[list[list[int]], np.ndarray]:
        texts, targets = mix.draw(int(rng.integers(2**31)))
        return start.encode(texts), targets

    def epoch_end(epoch: int, weights: dict[str, torch.Tensor]) -> None:
        judge.load_state_dict(weights)
        plain, hidden = (_measure(replace(start, model=judge), one, labels).macro_f1 for one in (valid, disguise))
        say(f"Epoch {epoch + 1} of {options.fit.epochs}: macro-F1 {plain:.4f}, on disguised copies {hidden:.4f}")
        if plain + hidden > best.sum_of_f1:
            best.epoch, best.sum_of_f1 = epoch, plain + hidden
            best.weights = {name: value.cpu() for name, value in weights.items()}

    fit(model, source, options.fit, options.seed, start.pad_id, start.mask_id, report, epoch_end)
    start.model.cpu()
    return best


def _measure(start: Start, examples: Sequence[Example], labels: Sequence[str]) -> Scores:
    ids = start.encode([example.text for example in examples])
    return score(examples, predict(start.model, ids, start.pad_id), labels)


def _save(start: Start, folder: Path) -> None:
    """Weights in half precision, and the model in memory rounded alike, so that scores are those of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: value.detach().half().contiguous() for name, value in start.model.state_dict().items()}
    start.model.load_state_dict({name: value.float() for name, value in halves.items()})
    save_file(halves, str(folder / "model.safetensors"), metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    start.model.config.architectures = [type(start.model).__name__]
    start.model.config.save_pretrained(str(folder))
    start.save_tokenizer(folder)


def _describe(folder: Path, data: Sequence[Example], scores: Scores, options: TrainOptions, start: Start) -> None:
    facts = {
        "name": options.name,
        "version": options.version,
        "architecture": f"{type(start.model).__name__}, {_shape(start.model.config)}",
        "author": options.author,
        "last_training": dt.datetime.now(dt.UTC).date().isoformat(),
        "parameters": sum(value.numel() for value in start.model.parameters()),
        "messages": len(data),
        "metrics": {"macro_f1": round(scores.macro_f1, 4), "accuracy": round(scores.accuracy, 4)},
    }
    choices = {name: value for name, value in asdict(options).items() if name not in ("name", "version", "author")}
    if options.base is not None and Path(options.base).is_dir():
        choices["base"] = Path(options.base).resolve().name
    write_json(folder / "sluice.json", {**facts, "options": choices})
    write_json(folder / "metrics.json", scores.as_dict())
    save_confusion(scores, folder / "confusion.png", f"{options.name} {options.version}")
    write_card(folder, facts, data, scores)


def _shape(config: Any) -> str:
    layers = getattr(config, "num_hidden_layers", None)
    return f"{layers} layers of {getattr(config, 'hidden_size', '?')}" if layers else "unknown shape"
