"""How good predictions are: by class, language and source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sluice.training.data import Example


@dataclass(frozen=True)
class ClassScore:
    """One class, one against the rest. All but `support` are shares, 0 to 1."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    """Messages that have this label."""


@dataclass(frozen=True)
class GroupScore:
    """The messages of one language or source."""

    name: str
    messages: int
    accuracy: float
    macro_f1: float
    """Over the labels that occur in the group."""


@dataclass(frozen=True)
class Scores:
    """All that is reported of one model on one data set."""

    messages: int
    accuracy: float
    macro_f1: float
    classes: tuple[ClassScore, ...]
    languages: tuple[GroupScore, ...]
    sources: tuple[GroupScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Messages by true label (row) and predicted label (column)."""
    calibration_error: float
    """Mean gap between stated probability and share of right answers, over 10 bins."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of rows and columns."""
        return tuple(score.label for score in self.classes)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; numbers rounded to four digits."""
        facts: dict[str, Any] = _rounded(asdict(self))
        return facts


def score(examples: Sequence[Example], probabilities: np.ndarray, labels: Sequence[str]) -> Scores:
    """Compares `probabilities`, (examples, labels), with the labels of the examples."""
    truth = np.array([labels.index(example.label) for example in examples])
    guess = probabilities.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(confusion, (truth, guess), 1)
    classes = tuple(_class_score(confusion, number, label) for number, label in enumerate(labels))
    return Scores(
        messages=len(examples),
        accuracy=float((truth == guess).mean()),
        macro_f1=macro_f1(truth, guess),
        classes=classes,
        languages=_groups([example.language for example in examples], truth, guess),
        sources=_groups([example.source for example in examples], truth, guess),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
        calibration_error=_calibration_error(probabilities.max(axis=1), truth == guess),
    )


def macro_f1(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean F1 over the labels that occur in `truth`; both are label numbers."""
    values = []
    for label in np.unique(truth):
        right = int(((truth == label) & (guess == label)).sum())
        values.append(2 * right / (int((truth == label).sum()) + int((guess == label).sum())))
    return float(np.mean(values))


def _class_score(confusion: np.ndarray, number: int, label: str) -> ClassScore:
    right = int(confusion[number, number])
    said, there = int(confusion[:, number].sum()), int(confusion[number].sum())
    f1 = 2 * right / (said + there) if said + there else 0.0
    return ClassScore(label, right / said if said else 0.0, right / there if there else 0.0, f1, there)


def _groups(names: Sequence[str], truth: np.ndarray, guess: np.ndarray) -> tuple[GroupScore, ...]:
    """By size, largest first; nothing when no message names its group."""
    array = np.array(names)
    groups = []
    for name in sorted(set(names) - {""}):
        rows = array == name
        accuracy = float((truth[rows] == guess[rows]).mean())
        groups.append(GroupScore(name, int(rows.sum()), accuracy, macro_f1(truth[rows], guess[rows])))
    return tuple(sorted(groups, key=lambda group: -group.messages))


def _calibration_error(stated: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error: Guo et al. (2017), arXiv:1706.04599."""
    slots = np.minimum((stated * bins).astype(int), bins - 1)
    gaps = [
        (slots == slot).mean() * abs(stated[slots == slot].mean() - right[slots == slot].mean()) for slot in set(slots)
    ]
    return float(sum(gaps))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_rounded(item) for item in value]
    return value
