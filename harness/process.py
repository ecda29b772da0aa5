"""A child process with its output in a file, stopped by its own id."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sluice.config.paths import ROOT
from sluice.tasks.parent import ends_with_parent

Found = TypeVar("Found")


#: Below the range that Linux takes the ports of outgoing connections from (32768 and up): of that, a connection of
#: another test could take the port before its server starts.
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(condition: Callable[[], Found | None], what: str, timeout_s: float = 30.0, every_s: float = 0.02) -> Found:
    """Poll until ``condition()`` is truthy and return it; raises TimeoutError naming ``what``."""
    ends = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > ends:
            raise TimeoutError(f"{what}: not within {timeout_s:g} s")
        time.sleep(every_s)


def rises(count: Callable[[], int], by: int = 0) -> Callable[[], bool]:
    """A condition to wait for: ``count()`` is more than ``by`` above what it is now."""
    before = count()
    return lambda: count() > before + by


class Child:
    """One process of a test."""

    def __init__(self, command: Sequence[str], log: Path, env: dict[str, str] | None = None, cwd: Path = ROOT) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                list(command),
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                preexec_fn=ends_with_parent(),  # noqa: PLW1509  a test run that is killed leaves no process behind
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for_output(self, text: str, timeout_s: float = 60.0) -> None:
        """Wait until ``text`` is in the output; raises at once if the process ends without it."""

        def seen() -> bool:
            if text in self.output():
                return True
            if self.returncode is not None and text not in self.output():
                raise RuntimeError(f"{text!r} never came; exit {self.returncode}:\n{self.output()[-4000:]}")
            return False

        wait_for(seen, f"{text!r} in {self.log.name}", timeout_s, 0.05)

    def send(self, number: signal.Signals) -> None:
        if self.returncode is None:
            self._process.send_signal(number)

    def wait(self, timeout_s: float = 30.0) -> int:
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        """End it at once; nothing happens if it has ended."""
        if self.returncode is None:
            self._process.kill()
            self._process.wait(10)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 40.0) -> int:
        """Ask it to end, then make it; returns the exit status."""
        self.send(number)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait(10)
