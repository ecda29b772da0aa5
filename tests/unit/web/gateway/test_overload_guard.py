"""Callers that are let go when the threads run out."""

from __future__ import annotations

import time

from sluice.web.gateway.overload_guard import OverloadGuard
from sluice.web.gateway.waiting import Waiter


def test_when_threads_run_out_those_who_waited_long_are_let_go() -> None:
    overload_guard = OverloadGuard(4, saturated_wait_s=0.05)
    waiters = [Waiter("text", str(index)) for index in range(3)]
    for waiter in waiters[:2]:
        overload_guard.begin(waiter)
    time.sleep(0.1)
    overload_guard.relieve()
    assert not any(waiter.released for waiter in waiters)
    overload_guard.begin(waiters[2])
    overload_guard.relieve()
    assert [waiter.released for waiter in waiters] == [True, True, False]
    started = time.monotonic()
    assert not waiters[0].wait(60)
    assert time.monotonic() - started < 30
    overload_guard.stop()
    assert waiters[2].released
    late = Waiter("text", "late")
    overload_guard.begin(late)
    assert late.released
