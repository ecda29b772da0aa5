"""How many messages an envelope should hold: a batch of the fastest worker, where batches take long."""

from __future__ import annotations

import pytest

from sluice.tasks.envelope import ENVELOPE_MESSAGES
from sluice.tasks.shape import envelope_messages, fastest_batch
from sluice.tasks.wire.status import FullBatch, WorkerStatus


def worker(messages: int, seconds: float) -> WorkerStatus:
    return WorkerStatus(full_batch=FullBatch(messages=messages, seconds=seconds))


def test_the_fastest_counts_and_one_that_does_not_say_is_passed_over() -> None:
    assert fastest_batch([]) is None
    assert fastest_batch([WorkerStatus()]) is None
    assert fastest_batch([WorkerStatus(), worker(8, 2.0), worker(5, 0.5)]) == FullBatch(messages=5, seconds=0.5)


@pytest.mark.parametrize(
    ("workers", "messages"),
    [
        ([], ENVELOPE_MESSAGES),
        ([worker(64, 0.004)], ENVELOPE_MESSAGES),
        ([worker(8, 2.0)], 8),
        ([worker(4096, 1.0)], ENVELOPE_MESSAGES),
    ],
)
def test_slow_workers_get_a_batch_an_envelope(workers: list[WorkerStatus], messages: int) -> None:
    assert envelope_messages(workers) == messages
