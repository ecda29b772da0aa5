"""A file that only ever grows, and can be cut back to a commit."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sluice.backfill.files.atomic import sync_folder
from sluice.backfill.outputs.fault import faults_of, lost
from sluice.backfill.outputs.streamed import STDOUT, StreamedFile


def growing(path: Path, offset: int | None) -> AppendedFile | StreamedFile:
    """What a writer appends to: the file ``path`` from ``offset`` on, or standard output."""
    return StreamedFile() if path == STDOUT else AppendedFile(path, offset)


class AppendedFile:
    """``path``, from ``offset`` on; a new file with None.

    It has no buffer: what it is given is in the file when ``append`` returns, so nothing is left to write, and to
    fail, at ``close``.

    Raises:
        UnwritableOutput: (everywhere but in ``close``) it cannot be written, or is shorter than ``offset``.
    """

    def __init__(self, path: Path, offset: int | None) -> None:
        self._path = path
        if offset is not None and not path.exists():
            raise lost(path)
        with faults_of(path):
            self._file = path.open("wb" if offset is None else "r+b", buffering=0)
        try:
            self._go_to(offset)
        except BaseException:
            self.close()
            raise

    def _go_to(self, offset: int | None) -> None:
        if offset is None:
            with faults_of(self._path):
                sync_folder(self._path.parent)
            return
        if self._path.stat().st_size < offset:
            raise lost(self._path)
        with faults_of(self._path):
            self._file.truncate(offset)
            self._file.seek(offset)

    def append(self, data: bytes | memoryview) -> None:
        """All of ``data``, or an error; after one the file must be cut back to the last commit."""
        left = memoryview(data)
        with faults_of(self._path):
            while left:
                left = left[self._file.write(left) :]

    def commit(self) -> int:
        """Make it survive a crash of the machine; returns its length in bytes."""
        with faults_of(self._path):
            os.fsync(self._file.fileno())
            return self._file.tell()

    def close(self) -> None:
        """Never raises."""
        with suppress(OSError):  # nothing is buffered: what counts has been committed
            self._file.close()
