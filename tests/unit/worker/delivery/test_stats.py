"""The statistics of one worker: sums since its start, and its last batches."""

from __future__ import annotations

from sluice.tasks.wire.status import Counters, RecentBatches
from sluice.worker.delivery.stats import RECENT, Stats
from sluice.worker.engine.mail import Outcome

LABELS = ("ham", "spam")


def batch(size: int, seconds: float) -> Outcome:
    return Outcome([[] for _ in range(size)], [[0.25, 0.75]] * size, "model", seconds, tokens=2 * size)


def test_a_young_worker_has_figures_and_all_are_zero() -> None:
    stats = Stats(LABELS)
    assert stats.counters == Counters()
    assert stats.batches == RecentBatches()
    assert (stats.rate, stats.busy_s) == (0.0, 0.0)
    assert (stats.answers.messages, stats.answers.labels) == (0, {"ham": 0, "spam": 0})


def test_sizes_and_rate_are_those_of_the_last_batches() -> None:
    stats = Stats(LABELS)
    stats.outcome(batch(1000, 10.0))
    for size in [2, 4] * (RECENT // 2):
        stats.outcome(batch(size, 0.5))
    assert stats.batches == RecentBatches(mean_size=3.0, p50_size=3.0, max_size=4, mean_ms=500.0)
    assert stats.rate == 6.0
    assert stats.busy_s == 10 + RECENT / 2
    assert stats.counters.batches == RECENT + 1
