"""How many messages an envelope should hold, for the workers of the moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.tasks.envelope import ENVELOPE_MESSAGES, WHOLE_BATCH_S


def fastest_batch(workers: Sequence[Mapping[str, Any]]) -> tuple[int, float] | None:
    """Messages and seconds of a full batch of the fastest worker, from the workers' statuses; None if none says."""
    batches = [worker["full_batch"] for worker in workers if "full_batch" in worker]
    fastest = min(batches, key=lambda batch: float(batch["seconds"]), default=None)
    return None if fastest is None else (int(fastest["messages"]), float(fastest["seconds"]))


def envelope_messages(workers: Sequence[Mapping[str, Any]]) -> int:
    """Messages in one envelope: those of one batch where a batch takes long, so that workers share evenly."""
    batch = fastest_batch(workers)
    if batch is None or batch[1] < WHOLE_BATCH_S:
        return ENVELOPE_MESSAGES
    return min(batch[0], ENVELOPE_MESSAGES)
