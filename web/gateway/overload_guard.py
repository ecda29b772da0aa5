"""Who waits, and since when: lets callers go when the process stops or its threads run out."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Protocol

#: Threads kept free of waiting callers, for health checks, polls and refusals; a quarter of them where they are few.
RESERVE = 8
#: When nearly every thread waits, callers that have waited this long, in seconds, get their 202 early.
SATURATED_WAIT_S = 1.0
RELIEVE_EVERY_S = 0.5


class Releasable(Protocol):
    def release(self) -> None:
        """Stop waiting."""


class OverloadGuard:
    """The waiting callers of one process, and a thread that looks after them.

    The thread asks no server anything: it is needed most when one of them is silent.

    Args:
        threads: requests that the process holds at once.
        saturated_wait_s: seconds that a caller waits at least before it may be let go early.
    """

    def __init__(self, threads: int, saturated_wait_s: float = SATURATED_WAIT_S) -> None:
        self._saturated_wait_s = saturated_wait_s
        self._limit = threads - min(RESERVE, threads // 4)
        self._since: dict[Releasable, float] = {}
        self.stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sluice-overload", daemon=True)

    def __len__(self) -> int:
        """Callers that wait."""
        return len(self._since)

    def start(self) -> None:
        self._thread.start()

    def begin(self, waiter: Releasable) -> None:
        self._since[waiter] = monotonic()
        if self.stopping.is_set():
            waiter.release()

    def end(self, waiter: Releasable) -> None:
        self._since.pop(waiter, None)

    def relieve(self) -> None:
        """Free threads if nearly all of them wait: without workers, each would be held for a caller's whole wait."""
        if len(self._since) < self._limit:
            return
        before = monotonic() - self._saturated_wait_s
        for waiter, since in self._since.copy().items():
            if since < before:
                waiter.release()

    def stop(self) -> None:
        """Let everybody go, now and from now on."""
        self.stopping.set()
        for waiter in self._since.copy():
            waiter.release()

    def _run(self) -> None:
        while not self.stopping.wait(RELIEVE_EVERY_S):
            self.relieve()
