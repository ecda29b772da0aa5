"""Measures what a batch costs on this device: ``seconds ≈ a + b · tokens``, by least squares over a few shapes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from worker.model.base import Classifier

#: Seconds that the measurement may take; a slow device is measured on fewer, smaller shapes.
BUDGET_S = 1.0
REPEATS = 2  # the better one counts: noise only ever adds


@dataclass(frozen=True, slots=True)
class Cost:
    """``a_s``: seconds per batch; ``b_s``: seconds per token computed (padding included if the model pads)."""

    a_s: float
    b_s: float

    @property
    def overhead_tokens(self) -> float:
        """The fixed cost of a batch in tokens of work."""
        return self.a_s / self.b_s if self.b_s > 0 else 0.0


def measure(classifier: Classifier, max_batch: int) -> Cost:
    """Run growing batches within the budget and fit their cost."""
    text = "Your parcel 4711 waits at the depot, please bring this code with you. "
    short, long = classifier.encode([text, text * 4])
    shapes = [(count, ids) for count in (1, 4, 16, 64) if count <= max_batch for ids in (short, long)]
    points: list[tuple[float, float]] = []
    ends = time.monotonic() + BUDGET_S
    for count, ids in shapes:
        spent = min(_timed(classifier, [ids] * count) for _ in range(REPEATS))
        points.append((count * len(ids), spent))
        if time.monotonic() + 4 * REPEATS * spent > ends:
            break
    return fit(points)


def _timed(classifier: Classifier, batch: list[list[int]]) -> float:
    began = time.monotonic()
    classifier.forward(batch)
    return time.monotonic() - began


def fit(points: list[tuple[float, float]]) -> Cost:
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
