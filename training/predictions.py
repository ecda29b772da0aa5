"""What a classifier said of labelled messages: the one thing that every figure is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sluice.training.data import Example
from sluice.worker.model.judge import BLOCK, FLAG, deciding, limits_of
from sluice.worker.model.labels import HAM
from sluice.worker.model.thresholds import Thresholds

BAD = ("spam", "phishing")
"""Labels that a gateway acts on, where a model has them."""
PHISHING = "phishing"


@dataclass(frozen=True)
class Predictions:
    """`probabilities`, (messages, labels), beside the right labels, as numbers into `labels`."""

    labels: tuple[str, ...]
    truth: np.ndarray
    probabilities: np.ndarray
    languages: tuple[str, ...]
    thresholds: Thresholds = field(default_factory=dict)
    """By label; empty where the model's folder has no thresholds."""

    @cached_property
    def guess(self) -> np.ndarray:
        """The most likely label of each message."""
        guess: np.ndarray = self.probabilities.argmax(axis=1)
        return guess

    @cached_property
    def stated(self) -> np.ndarray:
        """The probability of that label."""
        return self.probabilities.max(axis=1).astype(float)

    @cached_property
    def right(self) -> np.ndarray:
        """Whether it is the right one."""
        return self.truth == self.guess

    @cached_property
    def good(self) -> np.ndarray:
        """Whether each message is ham."""
        return np.isin(self.truth, self._numbers((HAM,)))

    @cached_property
    def bad(self) -> np.ndarray:
        """Whether each message is one to act on."""
        return np.isin(self.truth, self._numbers(BAD))

    @cached_property
    def called_bad(self) -> np.ndarray:
        """Whether the model's label is one to act on."""
        return np.isin(self.guess, self._numbers(BAD))

    @cached_property
    def badness(self) -> np.ndarray:
        """The probability of the labels to act on, together."""
        return self.probabilities[:, self._numbers(BAD)].sum(axis=1).astype(float)

    @cached_property
    def severity(self) -> np.ndarray:
        """What the worker would do about each message: 0 allow it, 1 flag it, 2 block it."""
        if not self.thresholds:
            return np.zeros(len(self.truth), dtype=int)
        limits = limits_of(self.labels, self.thresholds)
        decided = (deciding(limits, row) for row in self.probabilities.tolist())
        return np.array([limit.severity if limit is not None else 0 for limit in decided], dtype=int)

    @property
    def flagged(self) -> np.ndarray:
        """Whether each message is flagged or blocked."""
        return self.severity >= FLAG

    @property
    def blocked(self) -> np.ndarray:
        """Whether each message is blocked."""
        return self.severity >= BLOCK

    def of(self, label: str) -> np.ndarray:
        """Whether `label` is the right one, for each message."""
        return np.isin(self.truth, self._numbers((label,)))

    def rows(self, chosen: np.ndarray) -> Predictions:
        """The predictions of some messages: `chosen` holds one truth value a message."""
        languages = tuple(name for name, taken in zip(self.languages, chosen, strict=True) if taken)
        return Predictions(self.labels, self.truth[chosen], self.probabilities[chosen], languages, self.thresholds)

    def by_language(self) -> dict[str, Predictions]:
        """The parts that name a language, the largest first."""
        names = np.array(self.languages, dtype=object)
        parts = {name: self.rows(names == name) for name in sorted(set(self.languages) - {""})}
        return dict(sorted(parts.items(), key=lambda part: -len(part[1].truth)))

    def _numbers(self, labels: Sequence[str]) -> list[int]:
        return [self.labels.index(label) for label in labels if label in self.labels]


def predictions(
    examples: Sequence[Example],
    probabilities: np.ndarray,
    labels: Sequence[str],
    thresholds: Thresholds | None = None,
) -> Predictions:
    """Puts `probabilities`, (examples, labels), beside what the examples say."""
    truth = np.array([labels.index(example.label) for example in examples])
    languages = tuple(example.language for example in examples)
    return Predictions(tuple(labels), truth, np.asarray(probabilities), languages, thresholds or {})


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of several pools of one model as one."""
    return Predictions(
        parts[0].labels,
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        tuple(name for part in parts for name in part.languages),
        parts[0].thresholds,
    )
