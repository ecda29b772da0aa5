"""Ctrl-C and SIGTERM, noticed between two steps."""

from __future__ import annotations

import signal
import time
from types import FrameType

SLICE_S = 0.1


class Stopped(Exception):
    """Ctrl-C or SIGTERM; carries the exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Stop:
    """Remembers that a stop was asked for; ``check`` says so where stopping is safe.

    An exception out of the signal handler itself could surface inside any library call, where it may be taken for
    that call's own failure, wrapped or dropped.
    """

    def __init__(self) -> None:
        self._status = 0

    def install(self) -> None:
        """Take SIGINT and SIGTERM, from the main thread. A second one ends the process at once."""
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)

    def remove(self) -> None:
        """From now on a signal ends the process at once."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def check(self) -> None:
        """Nothing, until a stop is asked for.

        Raises:
            Stopped: from then on, once; so that what cleans up can use the same code.
        """
        if self._status:
            status, self._status = self._status, 0
            raise Stopped(status)

    def sleep(self, seconds: float) -> None:
        """Sleep, but not through a stop.

        Raises:
            Stopped: as ``check``.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, SLICE_S))

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.remove()
        self._status = 128 + number
