"""Starts the parts, passes their output on, and stops them in order. One thread owns everything here."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from itertools import groupby
from types import FrameType
from typing import IO

from sluice.cli.parts.part import Part

READ_BYTES = 65_536
#: Seconds between looks at signals and at parts that ended without closing their output.
TICK_S = 0.1
#: Seconds that a part gets once the operator has pressed Ctrl-C again.
HURRIED_GRACE_S = 1.0
#: Signals that follow each other faster than this are one.
SAME_SIGNAL_S = 0.5


class Supervisor:
    """A list of parts, in the order in which they stop.

    Args:
        write: called with a part's name and one line of its output.
    """

    def __init__(self, write: Callable[[str, str], None]) -> None:
        self._write = write
        self._parts: list[Part] = []
        self._selector = selectors.DefaultSelector()
        self._unfinished: dict[str, bytes] = {}
        self.stops_asked = 0
        self._last_signal = float("-inf")

    def catch_signals(self) -> None:
        """From now on SIGINT and SIGTERM ask for a stop; the second one asks to hurry."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_stop)

    def start(self, part: Part) -> None:
        part.start()
        self.adopt(part)

    def adopt(self, part: Part) -> None:
        """Take over a part whose process runs already."""
        self._parts.append(part)
        if part.process is not None and part.process.stdout is not None:
            self.watch(part.name, part.process.stdout)

    def has(self, kind: str) -> bool:
        """Whether a part of this kind was started here."""
        return any(part.kind == kind for part in self._parts)

    def watch(self, name: str, stream: IO[bytes]) -> None:
        os.set_blocking(stream.fileno(), False)
        self._selector.register(stream, selectors.EVENT_READ, name)

    def pump(self, timeout_s: float = TICK_S) -> None:
        """Pass on what the parts have printed, waiting up to ``timeout_s`` for it."""
        if not self._selector.get_map():
            time.sleep(timeout_s)
            return
        for key, _ in self._selector.select(timeout_s):
            self._read(key)

    def ended(self) -> Part | None:
        """A part that is no longer running, if there is one."""
        return next((part for part in self._parts if not part.running), None)

    def stop(self, order: tuple[str, ...]) -> None:
        """Stop every part: the kinds named in ``order`` first, each given its time before the next is asked."""
        rank = {kind: i for i, kind in enumerate(order)}

        def turn(part: Part) -> int:
            return rank.get(part.kind, len(rank))

        for _, parts in groupby(sorted(self._parts, key=turn), turn):
            self._stop(list(parts))
        self.pump(0)

    def _stop(self, parts: Sequence[Part]) -> None:
        """Stop these together, so that none works on while it waits for another's end."""
        for part in parts:
            part.terminate()
        asked = time.monotonic()
        for part in parts:
            self._wait(part, asked)

    def _wait(self, part: Part, asked: float) -> None:
        while part.running:
            grace_s = HURRIED_GRACE_S if self.stops_asked > 1 else part.grace_s
            if time.monotonic() - asked > grace_s:
                self._write("sluice", f"{part.name} did not stop within {grace_s:g} s and was killed")
                break
            self.pump()
        # Also sweeps what the part itself had started, should it have left something behind.
        part.kill()
        if part.process is not None:
            part.process.wait()

    def _ask_stop(self, number: int, frame: FrameType | None) -> None:
        # A terminal, make and a process manager may each pass on the same one signal.
        now = time.monotonic()
        if now - self._last_signal > SAME_SIGNAL_S:
            self.stops_asked += 1
        self._last_signal = now

    def _read(self, key: selectors.SelectorKey) -> None:
        name: str = key.data
        data = os.read(key.fd, READ_BYTES)
        lines = (self._unfinished.pop(name, b"") + data).split(b"\n")
        rest = lines.pop()
        if not data:
            self._selector.unregister(key.fileobj)
            if rest:
                lines.append(rest)
        elif rest:
            self._unfinished[name] = rest
        for line in lines:
            if line.strip():
                self._write(name, line.decode("utf-8", "replace").rstrip("\r"))
