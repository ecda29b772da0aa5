"""How many messages an envelope should hold, for the workers of the moment."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.tasks.envelope import ENVELOPE_MESSAGES, WHOLE_BATCH_S
from sluice.tasks.wire.status import FullBatch, WorkerStatus


def fastest_batch(workers: Sequence[WorkerStatus]) -> FullBatch | None:
    """A full batch of the fastest worker; None if none says."""
    batches = [worker.full_batch for worker in workers if worker.full_batch is not None]
    return min(batches, key=lambda batch: batch.seconds, default=None)


def envelope_messages(workers: Sequence[WorkerStatus]) -> int:
    """Messages in one envelope: those of one batch where a batch takes long, so that workers share evenly."""
    batch = fastest_batch(workers)
    if batch is None or batch.seconds < WHOLE_BATCH_S:
        return ENVELOPE_MESSAGES
    return min(batch.messages, ENVELOPE_MESSAGES)
