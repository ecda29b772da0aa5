"""Standard input and named pipes, copied into a file: what is read must be read again after a stop."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sluice.backfill.run.stop import SLICE_S
from sluice.tasks.errors import UnreadableArchive, UnwritableOutput

CHUNK_BYTES = 1 << 20


def copy_stdin(copy: Path, check: Callable[[], None]) -> None:
    """Standard input, as the file ``copy``, which appears when it is complete.

    Raises:
        UnreadableArchive: it is empty or a terminal.
        UnwritableOutput: the copy cannot be written.
    """
    try:
        descriptor = sys.stdin.fileno()
        if os.isatty(descriptor):
            raise UnreadableArchive("standard input is a terminal: pipe an archive into it, or name a file")
    except (AttributeError, OSError, ValueError) as exc:
        raise UnreadableArchive("standard input is closed: pipe an archive into it, or name a file") from exc
    _copy(descriptor, "standard input", copy, check)


def copy_pipe(path: Path, name: str, copy: Path, check: Callable[[], None]) -> None:
    """The named pipe ``path``, as ``copy_stdin``; waits for who writes into it."""
    try:
        # Opened so that a stop ends the wait for a writer too.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as exc:
        raise UnreadableArchive(f"{name} cannot be read ({exc.strerror})") from exc
    try:
        _copy(descriptor, name, copy, check)
    finally:
        os.close(descriptor)


def _copy(descriptor: int, name: str, copy: Path, check: Callable[[], None]) -> None:
    partial = copy.with_name(f"{copy.name}.partial")
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            size = _pour(descriptor, name, file, check)
            file.flush()
            os.fsync(file.fileno())
        if not size:
            partial.unlink()
            raise UnreadableArchive(f"{name} is empty")
        partial.replace(copy)
    except OSError as exc:
        raise UnwritableOutput(f"{copy} cannot be written ({exc.strerror})") from exc


def _pour(descriptor: int, name: str, file: BinaryIO, check: Callable[[], None]) -> int:
    size = 0
    while True:
        check()
        if not select.select([descriptor], [], [], SLICE_S)[0]:
            continue
        try:
            data = os.read(descriptor, CHUNK_BYTES)
        except BlockingIOError:
            continue
        except OSError as exc:
            raise UnreadableArchive(f"{name} cannot be read ({exc.strerror})") from exc
        if not data:
            return size
        file.write(data)
        size += len(data)
