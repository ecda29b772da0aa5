"""A stop is seen between two steps, never in the middle of one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from backfill.stop import Stop, Stopped


@pytest.fixture
def stop() -> Iterator[Stop]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    one = Stop()
    one.install()
    yield one
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_next_check_and_counts_once(stop: Stop, number: signal.Signals) -> None:
    stop.check()
    os.kill(os.getpid(), number)
    with pytest.raises(Stopped) as caught:
        stop.check()
    assert caught.value.status == 128 + number
    stop.check()


def test_a_second_signal_is_left_to_the_system(stop: Stop) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL


def test_a_sleep_ends_early(stop: Stop) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    started = time.monotonic()
    with pytest.raises(Stopped):
        stop.sleep(60)
    assert time.monotonic() - started < 30
