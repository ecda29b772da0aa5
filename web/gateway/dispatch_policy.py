"""How envelopes suit the workers of the moment: how many messages, and whether the first waits for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.tasks.envelope import ENVELOPE_MESSAGES, WHOLE_BATCH_S
from sluice.tasks.shape import envelope_messages, fastest_batch
from sluice.tasks.wire.status import WorkerStatus

#: Share of a slow batch's time for which a message waits for others, so that its envelope is a full batch.
LINGER_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class DispatchPolicy:
    """``messages``: most in one envelope; ``linger_s``: seconds that the first waits, even for idle workers."""

    messages: int = ENVELOPE_MESSAGES
    linger_s: float = 0.0


def dispatch_policy_for(workers: Sequence[WorkerStatus]) -> DispatchPolicy:
    """The policy for workers with these statuses; the fastest of them counts."""
    batch = fastest_batch(workers)
    if batch is None or batch.seconds < WHOLE_BATCH_S:
        return DispatchPolicy()
    return DispatchPolicy(envelope_messages(workers), LINGER_SHARE * batch.seconds)
