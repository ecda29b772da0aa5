"""``python -m sluice.bench.instrumented_worker``: ``sluice worker`` that also counts its batches by size.

``GET /stats`` then has ``sizes`` for each worker: batches by their number of messages, since the start.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Sequence

from sluice.cli.celery import run
from sluice.config.settings import current
from sluice.tasks.wire.status import WorkerStatus
from sluice.worker import pipeline
from sluice.worker.consumer import steps
from sluice.worker.delivery.stats import RECENT, Stats
from sluice.worker.pipeline import Pipeline


class Recent(deque[tuple[int, float]]):
    """Counts every batch that passes through."""

    def __init__(self) -> None:
        super().__init__(maxlen=RECENT)
        self.sizes: Counter[int] = Counter()

    def append(self, batch: tuple[int, float]) -> None:
        self.sizes[batch[0]] += 1
        super().append(batch)


class CountedStats(Stats):
    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__(labels)
        self._recent: Recent = Recent()

    @property
    def sizes(self) -> dict[int, int]:
        """Batches by their number of messages."""
        return dict(self._recent.sizes)


class CountedPipeline(Pipeline):
    stats: CountedStats

    def status(self) -> WorkerStatus:
        return super().status().model_copy(update={"sizes": self.stats.sizes})


if __name__ == "__main__":
    pipeline.Stats = CountedStats  # type: ignore[misc]
    steps.ThreadPipeline = CountedPipeline  # type: ignore[misc]
    sys.exit(run("--quiet", "worker", "--loglevel", current().log_level, *sys.argv[1:]))
