"""A stop is seen between two steps, never in the middle of one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.backfill.run.plan import Plan
from sluice.backfill.run.stop import Stop, Stopped
from sluice.cli.backfill.run import stopped_sentence


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


def test_a_stop_that_is_removed_leaves_signals_to_the_system(stop: Stop) -> None:
    stop.remove()
    assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    stop.check()


def test_a_sleep_ends_early(stop: Stop) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    started = time.monotonic()
    with pytest.raises(Stopped):
        stop.sleep(60)
    assert time.monotonic() - started < 30


def test_what_a_stop_leaves_is_said(tmp_path: Path) -> None:
    plan = Plan(("in.csv",), tmp_path / "out.csv", "csv")
    assert stopped_sentence(plan, 0) == "stopped; nothing is left behind"
    plan.folder.mkdir()
    assert stopped_sentence(plan, 0).startswith("stopped; the same command carries on")
    assert stopped_sentence(replace(plan, restart=True), 1_000).startswith(
        "stopped after 1,000 rows; the same command without --restart carries on"
    )
