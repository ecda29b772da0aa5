"""How good predictions are: by class, language and source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from sluice.training.data import Example
from sluice.training.measures import MeasureSums
from sluice.training.predictions import predictions


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
        facts: dict[str, Any] = rounded(asdict(self))
        return facts


def score(examples: Sequence[Example], probabilities: np.ndarray, labels: Sequence[str]) -> Scores:
    """Compares `probabilities`, (examples, labels), with the labels of the examples."""
    given = predictions(examples, probabilities, labels)
    sums = MeasureSums(given)
    figures = sums.figures(sums.columns.sum(axis=0, keepdims=True))
    confusion = confusion_matrix(given.truth, given.guess, labels=range(len(labels)))
    return Scores(
        messages=len(examples),
        accuracy=float(figures["accuracy"][0]),
        macro_f1=float(figures["macro_f1"][0]),
        classes=_classes(given.truth, given.guess, labels),
        languages=_groups(given.languages, given.truth, given.guess),
        sources=_groups([example.source for example in examples], given.truth, given.guess),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
        calibration_error=float(figures["ece"][0]),
    )


def macro_f1(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean F1 over the labels that occur in `truth`; both are label numbers."""
    return float(f1_score(truth, guess, labels=np.unique(truth), average="macro"))


def _classes(truth: np.ndarray, guess: np.ndarray, labels: Sequence[str]) -> tuple[ClassScore, ...]:
    columns = precision_recall_fscore_support(truth, guess, labels=range(len(labels)), zero_division=0)
    return tuple(
        ClassScore(label, float(precision), float(recall), float(f1), int(support))
        for label, precision, recall, f1, support in zip(labels, *columns, strict=True)
    )


def _groups(names: Sequence[str], truth: np.ndarray, guess: np.ndarray) -> tuple[GroupScore, ...]:
    """By size, largest first; nothing when no message names its group."""
    array = np.array(names)
    groups = []
    for name in sorted(set(names) - {""}):
        rows = array == name
        accuracy = float(accuracy_score(truth[rows], guess[rows]))
        groups.append(GroupScore(name, int(rows.sum()), accuracy, macro_f1(truth[rows], guess[rows])))
    return tuple(sorted(groups, key=lambda group: -group.messages))


def rounded(value: Any) -> Any:
    """The same for JSON: every number in it with four digits."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [rounded(item) for item in value]
    return value
