"""A peer's processes, ended with all their children: not every server ends its own."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from sluice.harness.process import Child

#: Seconds that children get to end after their parent has.
GRACE_S = 1.0


class Process(Child):
    """One command of a peer."""

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 20.0) -> int:
        """Ask it to end, then make it, and then its children; returns the exit status."""
        children = {pid: started(pid) for pid in descendants(self.pid)}
        status = super().stop(number, timeout_s)
        ends = time.monotonic() + GRACE_S
        while _left(children) and time.monotonic() < ends:
            time.sleep(0.05)
        for pid in _left(children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return status


def descendants(pid: int) -> list[int]:
    """Ids of a process's children, their children and so on; empty if it has ended."""
    found: list[int] = []
    for task in _tasks(pid):
        with contextlib.suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return [one for child in found for one in (child, *descendants(child))]


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks: with its id that names it. None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _left(children: dict[int, str | None]) -> list[int]:
    return [pid for pid, began in children.items() if began is not None and started(pid) == began]
