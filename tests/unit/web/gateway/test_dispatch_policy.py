"""Envelopes follow what the workers say of a batch."""

from __future__ import annotations

import pytest

from sluice.tasks.envelope import ENVELOPE_MESSAGES
from sluice.tasks.wire.status import FullBatch, WorkerStatus
from sluice.web.gateway.dispatch_policy import LINGER_SHARE, DispatchPolicy, dispatch_policy_for


def worker(messages: int, seconds: float) -> WorkerStatus:
    return WorkerStatus(hostname="w", full_batch=FullBatch(messages=messages, seconds=seconds))


@pytest.mark.parametrize(
    "workers", [[], [WorkerStatus(hostname="old")], [worker(64, 0.004)], [worker(5, 0.5), worker(64, 0.004)]]
)
def test_fast_or_unknown_workers_get_large_envelopes_at_once(workers: list[WorkerStatus]) -> None:
    assert dispatch_policy_for(workers) == DispatchPolicy(ENVELOPE_MESSAGES, 0.0)


def test_slow_workers_get_a_batch_an_envelope() -> None:
    assert dispatch_policy_for([worker(8, 2.0), worker(5, 0.5)]) == DispatchPolicy(5, 0.5 * LINGER_SHARE)
    assert dispatch_policy_for([worker(4096, 1.0)]).messages == ENVELOPE_MESSAGES
