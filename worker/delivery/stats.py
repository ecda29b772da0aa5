"""Batching statistics of one worker. Written by the result writer, read by others as finished snapshots."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from statistics import median

from sluice.tasks.errors import SluiceError
from sluice.tasks.wire.status import AnswerCounts, Counters, RecentBatches
from sluice.worker.delivery.result_store import EnvelopeResult
from sluice.worker.engine.mail import Outcome

#: Batches that "lately" means in sizes and rates.
RECENT = 256


class Stats:
    """Counters since the start, and sizes and times of the last batches.

    Args:
        labels: the model's.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.since = time.time()
        self._labels = tuple(labels)
        self._by_label = [0] * len(self._labels)
        self._confidence = 0.0
        self._pieces = self._unknown = 0
        self._counters = dict.fromkeys(Counters.model_fields, 0)
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT)
        self._busy_s = 0.0

    def outcome(self, outcome: Outcome) -> None:
        """Count answers; messages refused before the model count as errors only.

        ``messages`` are all that were answered. Of those, ``duplicates`` got the answer of a text that reads alike and
        ``cached`` one of earlier; the model computed the others.
        """
        counters, answered = self._counters, sum(map(len, outcome.refs))
        for refs, answer in zip(outcome.refs, outcome.answers, strict=True):
            if isinstance(answer, SluiceError):
                counters["errors"] += len(refs)
            else:
                probability = max(answer)
                self._by_label[answer.index(probability)] += len(refs)
                self._confidence += probability * len(refs)
        if outcome.origin == "refused":
            return
        counters["messages"] += answered
        if outcome.origin == "model":
            counters["duplicates"] += answered - len(outcome.refs)
            self._batch(outcome)
        else:
            counters["duplicates" if outcome.origin == "alike" else "cached"] += answered

    def _batch(self, outcome: Outcome) -> None:
        size = len(outcome.refs)
        self._counters["batches"] += 1
        self._counters["tokens"] += outcome.tokens
        self._pieces += outcome.pieces
        self._unknown += outcome.unknown
        self._busy_s += outcome.model_s
        self._recent.append((size, outcome.model_s))

    def envelope(self, stored: EnvelopeResult) -> None:
        self._counters["envelopes"] += 1
        self._counters["revoked"] += stored.state == "REVOKED"
        self._counters["failed_envelopes"] += stored.state == "FAILURE"

    @property
    def answers(self) -> AnswerCounts:
        """What the model answered."""
        return AnswerCounts(
            messages=sum(self._by_label),
            labels=dict(zip(self._labels, self._by_label, strict=True)),
            confidence=round(self._confidence, 6),
            pieces=self._pieces,
            unknown_pieces=self._unknown,
        )

    @property
    def counters(self) -> Counters:
        """Sums since the start."""
        return Counters(**self._counters)

    @property
    def batches(self) -> RecentBatches:
        """Sizes and times of the last batches."""
        recent = list(self._recent)
        sizes = [size for size, _ in recent]
        if not recent:
            return RecentBatches()
        return RecentBatches(
            mean_size=round(sum(sizes) / len(sizes), 2),
            p50_size=median(sizes),
            max_size=max(sizes),
            mean_ms=round(1000 * sum(spent for _, spent in recent) / len(recent), 3),
        )

    @property
    def rate(self) -> float:
        """Messages/s that the model reached lately while it was busy."""
        recent = list(self._recent)
        seconds = sum(spent for _, spent in recent)
        return round(sum(size for size, _ in recent) / seconds, 1) if seconds else 0.0

    @property
    def busy_s(self) -> float:
        """Seconds in the model since the start."""
        return round(self._busy_s, 3)
