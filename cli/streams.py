"""Standard streams as a command finds them: closed, full, or with a reader that has gone.

A command that cannot print its answer fails with one line on stderr; one that cannot complain goes on.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

from sluice.tasks.errors import SluiceError

STDIN, STDOUT, STDERR = 0, 1, 2


class OutputLost(SluiceError):
    """Standard output cannot be written: it is closed, or its disk is full."""

    code = "output_lost"


class StandardOutput(io.FileIO):
    """Standard output. An error of it is told apart from one of any other file."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as exc:
            why = "it is closed" if exc.errno == errno.EBADF else exc.strerror
            raise OutputLost(f"standard output cannot be written: {why}") from exc


class Complaints(io.FileIO):
    """Standard error. It takes everything, also what the file behind it does not."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare() -> None:
    """Make the streams usable. Of those that are closed stdin is empty, stdout fails, and stderr takes everything.

    Their numbers are occupied: a database that got number 1 would otherwise hold what a child prints.
    """
    for number, mode in ((STDIN, os.O_RDONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            _occupy(number, mode)
    if sys.stdin is None:
        sys.stdin = open(STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115  it has no path
    sys.stdout = _text(StandardOutput(STDOUT, "w", closefd=False), sys.stdout)
    sys.stderr = _text(Complaints(STDERR, "w", closefd=False), sys.stderr)


def abandon() -> None:
    """Throw away what stdout has not taken: Python's own flush at its end would complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, STDOUT)
    os.close(null)


def _occupy(number: int, mode: int) -> None:
    null = os.open(os.devnull, mode)
    if null != number:
        os.dup2(null, number)
        os.close(null)
    os.set_inheritable(number, True)


def _text(raw: io.FileIO, like: TextIO | None) -> io.TextIOWrapper:
    """A text stream on ``raw`` that encodes and buffers as ``like``, or as Python does without one."""
    out = io.BufferedWriter(raw)
    if not isinstance(like, io.TextIOWrapper):
        return io.TextIOWrapper(out, "utf-8", "backslashreplace")
    through = like.write_through
    return io.TextIOWrapper(out, like.encoding, like.errors, None, like.line_buffering, through)
