"""How envelopes suit the workers of the moment: how many messages, and whether the first waits for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.envelope import ENVELOPE_MESSAGES

#: A batch that takes longer, seconds, is worth an envelope of its own: several workers then share evenly what comes
#: at once, and a linger of a fiftieth of its time fills that envelope.
SLOW_BATCH_S = 0.05
LINGER_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Shape:
    """``messages``: most in one envelope; ``linger_s``: seconds that the first waits, even for idle workers."""

    messages: int = ENVELOPE_MESSAGES
    linger_s: float = 0.0


def shape_for(workers: Sequence[Mapping[str, Any]]) -> Shape:
    """The shape for workers with these statuses; the fastest of them counts."""
    batches = [worker["batch"] for worker in workers if "batch" in worker]
    fastest = min(batches, key=lambda batch: float(batch["seconds"]), default=None)
    if fastest is None or fastest["seconds"] < SLOW_BATCH_S:
        return Shape()
    return Shape(min(int(fastest["messages"]), ENVELOPE_MESSAGES), LINGER_SHARE * float(fastest["seconds"]))
