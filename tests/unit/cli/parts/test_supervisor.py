"""The supervisor, with small scripts as parts."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from sluice.cli.parts.part import Part
from sluice.cli.parts.supervisor import Supervisor
from sluice.harness.process import wait_for
from tests.unit.cli.conftest import alive, children, wait_until_gone

OBEDIENT = "import time; print('started', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + OBEDIENT
NOISY_END = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *a: (print('bye', flush=True), sys.exit(0)));"
    "print('started', flush=True); time.sleep(60)"
)
WITH_CHILD = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);" + OBEDIENT
)

Lines = list[tuple[str, str]]


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def supervisor(lines: Lines) -> Iterator[Supervisor]:
    one = Supervisor(lambda name, line: lines.append((name, line)))
    yield one
    one.stops_asked = 2
    one.stop(())


def script(name: str, code: str, grace_s: float = 10.0) -> Part:
    return Part(name, [sys.executable, "-c", code], grace_s=grace_s)


def pump_until(supervisor: Supervisor, condition: Callable[[], object]) -> None:
    def step() -> object:
        supervisor.pump(0.01)
        return condition()

    wait_for(step, "the parts", 20)


def test_each_line_carries_its_part(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(script("a", "print('one\\ntwo'); print('no newline', end='')"))
    supervisor.start(script("b", "import sys; print('an error', file=sys.stderr)"))
    pump_until(supervisor, lambda: len(lines) == 4)
    assert sorted(lines) == [("a", "no newline"), ("a", "one"), ("a", "two"), ("b", "an error")]


def test_lines_that_are_no_text_are_shown_as_far_as_possible(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(script("a", r"import sys; sys.stdout.buffer.write(b'caf\xe9\r\n')"))
    pump_until(supervisor, lambda: lines)
    assert lines == [("a", "caf\N{REPLACEMENT CHARACTER}")]


def test_parts_stop_in_order(supervisor: Supervisor, lines: Lines) -> None:
    for name in ("redis", "worker", "web"):
        supervisor.start(script(name, NOISY_END))
    pump_until(supervisor, lambda: len(lines) == 3)
    supervisor.stop(("web", "worker", "redis"))
    assert [name for name, line in lines if line == "bye"] == ["web", "worker", "redis"]


def test_a_part_that_does_not_stop_is_killed(supervisor: Supervisor, lines: Lines) -> None:
    part = script("mule", STUBBORN, grace_s=0.3)
    supervisor.start(part)
    pump_until(supervisor, lambda: lines)
    supervisor.stop(())
    assert part.process is not None
    assert part.process.returncode == -signal.SIGKILL
    assert ("sluice", "mule did not stop within 0.3 s and was killed") in lines


def test_a_second_signal_hurries(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.start(script("mule", STUBBORN, grace_s=60))
    pump_until(supervisor, lambda: lines)
    supervisor.stops_asked = 2
    began = time.monotonic()
    supervisor.stop(())
    assert time.monotonic() - began < 30


def test_a_part_that_ends_is_noticed_with_its_reason(supervisor: Supervisor) -> None:
    supervisor.start(script("good", OBEDIENT))
    supervisor.start(script("bad", "raise SystemExit(3)"))
    pump_until(supervisor, supervisor.ended)
    part = supervisor.ended()
    assert part is not None
    assert (part.name, part.ending()) == ("bad", "stopped with exit status 3")


def test_a_killed_part_is_named_by_its_signal(supervisor: Supervisor) -> None:
    part = script("bad", OBEDIENT)
    supervisor.start(part)
    assert part.process is not None
    part.process.kill()
    pump_until(supervisor, supervisor.ended)
    assert part.ending() == "was ended by SIGKILL"


def test_what_a_part_left_behind_is_swept(supervisor: Supervisor, lines: Lines) -> None:
    part = script("nest", WITH_CHILD)
    supervisor.start(part)
    pump_until(supervisor, lambda: lines)
    assert part.process is not None
    grandchildren = children(part.process.pid)
    assert grandchildren
    assert all(map(alive, grandchildren))
    supervisor.stop(())
    wait_until_gone(grandchildren)


def test_one_signal_passed_on_twice_does_not_hurry(supervisor: Supervisor) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    supervisor.catch_signals()
    try:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert supervisor.stops_asked == 1
        supervisor._last_signal -= 1
        signal.raise_signal(signal.SIGINT)
        assert supervisor.stops_asked == 2
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
