"""How envelopes suit the workers of the moment: how many messages, and whether the first waits for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.envelope import ENVELOPE_MESSAGES, WHOLE_BATCH_S

#: Share of a slow batch's time for which a message waits for others, so that its envelope is a full batch.
LINGER_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Shape:
    """``messages``: most in one envelope; ``linger_s``: seconds that the first waits, even for idle workers."""

    messages: int = ENVELOPE_MESSAGES
    linger_s: float = 0.0


def shape_for(workers: Sequence[Mapping[str, Any]]) -> Shape:
    """The shape for workers with these statuses; the fastest of them counts."""
    batches = [worker["full_batch"] for worker in workers if "full_batch" in worker]
    fastest = min(batches, key=lambda batch: float(batch["seconds"]), default=None)
    if fastest is None or fastest["seconds"] < WHOLE_BATCH_S:
        return Shape()
    return Shape(min(int(fastest["messages"]), ENVELOPE_MESSAGES), LINGER_SHARE * float(fastest["seconds"]))
