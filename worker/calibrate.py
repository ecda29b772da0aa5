"""Measures what a batch costs on this device: ``seconds ≈ a + b · tokens``, by least squares over a few shapes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from worker.model.base import Classifier

#: Seconds that the measurement may take; a slow device is measured on fewer, smaller shapes.
BUDGET_S = 1.0


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
        began = time.monotonic()
        classifier.forward([ids] * count)
        now = time.monotonic()
        points.append((count * len(ids), now - began))
        if now + 4 * (now - began) > ends:
            break
    return fit(points)


def fit(points: list[tuple[float, float]]) -> Cost:
    """Least squares through ``(tokens, seconds)``; a and b are never negative."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return Cost(mean_y, 0.0)
    b = max(0.0, sum((x - mean_x) * (y - mean_y) for x, y in points) / spread)
    return Cost(max(0.0, mean_y - b * mean_x), b)
