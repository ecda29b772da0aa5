"""Measures what a batch costs on this device: ``seconds ≈ a + b · tokens``, by least squares over a few shapes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from sluice.worker.model.base import Classifier

#: Seconds that the measurement may take; a slow device is measured on fewer, smaller shapes. With one second mBERT's
#: shape on a CPU gets three shapes, and one that is disturbed bends the line.
BUDGET_S = 3.0
REPEATS = 3  # the best one counts: noise only ever adds, and the first may build kernels for its size
GROWTH = 4  # from one number of messages to the next
TEXT = "Your parcel 4711 waits at the depot, please bring this code with you. "
#: Lengths of the messages of a batch, in parts of their mean: as mixed as real ones where that costs nothing.
MIXTURE = (1.0, 0.6, 1.4, 0.8, 1.2)


@runtime_checkable
class Varying(Protocol):
    """A classifier whose cost depends on what it reads, not only on how much."""

    def forward_as_expected(self, batch: Sequence[list[int]]) -> object:
        """Do the work that a batch of this size mostly takes."""


@dataclass(frozen=True, slots=True)
class Point:
    """One measured batch."""

    messages: int
    tokens: int
    """Computed, so padding included if the model pads."""
    seconds: float
    """The best of a few."""


@dataclass(frozen=True, slots=True)
class Cost:
    """``a_s``: seconds per batch; ``b_s``: seconds per token computed (padding included if the model pads)."""

    a_s: float
    b_s: float
    points: tuple[Point, ...] = field(default=(), compare=False)
    """What the line was laid through."""

    @property
    def overhead_tokens(self) -> float:
        """The fixed cost of a batch in tokens of work."""
        return self.a_s / self.b_s if self.b_s > 0 else 0.0

    @property
    def residual(self) -> float:
        """How far the points lie from the line: root mean square of the relative error; 0.1 is a tenth."""
        errors = [(self.seconds(point.tokens) / max(point.seconds, 1e-9) - 1) ** 2 for point in self.points]
        return math.sqrt(sum(errors) / len(errors)) if errors else 0.0

    def seconds(self, tokens: int) -> float:
        """What a batch of so many tokens takes."""
        return self.a_s + self.b_s * tokens


def measure(classifier: Classifier, max_batch: int, budget_s: float = BUDGET_S) -> Cost:
    """Run growing batches within the budget and fit their cost. One shape is measured whatever it takes."""
    points: list[Point] = []
    ends = time.monotonic() + budget_s
    longest = classifier.encode([TEXT * 8])[0]
    short = min(len(longest), len(classifier.encode([TEXT])[0]))
    for count in counts(max_batch):
        for mean in sorted({short, (short + len(longest)) // 2}):
            batch = [longest[: _length(row, mean, classifier.padded)] for row in range(count)]
            spent = best_seconds(classifier, batch)
            points.append(Point(count, sum(map(len, batch)), spent))
            if time.monotonic() + GROWTH * REPEATS * spent > ends:
                return fit_points(points)
    return fit_points(points)


def counts(max_batch: int) -> list[int]:
    """Messages of the batches that are measured: 1, 4, 16, … and `max_batch`."""
    found = [1]
    while found[-1] * GROWTH < max_batch:
        found.append(found[-1] * GROWTH)
    return sorted({*found, max_batch})


def _length(row: int, mean: int, padded: bool) -> int:
    return mean if padded else max(1, round(mean * MIXTURE[row % len(MIXTURE)]))


def best_seconds(classifier: Classifier, batch: list[list[int]]) -> float:
    """Seconds of a forward, the best of ``REPEATS``."""
    return min(_timed(classifier, batch) for _ in range(REPEATS))


def _timed(classifier: Classifier, batch: list[list[int]]) -> float:
    forward = classifier.forward_as_expected if isinstance(classifier, Varying) else classifier.forward
    began = time.monotonic()
    forward(batch)
    return time.monotonic() - began


def fit(points: Sequence[tuple[float, float]]) -> Cost:
    """Least squares through ``(tokens, seconds)`` in relative error; a and b are never negative.

    Relative, because small batches tell what a batch costs at least, and one big one would outvote them.
    """
    weights = [1 / max(y, 1e-9) ** 2 for _, y in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    if not spread:
        return Cost(mean_y, 0.0)
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True)) / spread
    b = max(0.0, slope)
    return Cost(max(0.0, mean_y - b * mean_x), b)


def fit_points(points: Sequence[Point]) -> Cost:
    """The line through measured batches, which it keeps."""
    return replace(fit([(point.tokens, point.seconds) for point in points]), points=tuple(points))
