"""What every output's writer is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

#: What ``commit`` returns and ``open_writer`` takes up again: JSON values.
State = dict[str, Any]


class Writer(Protocol):
    """Writes into a partial file, which becomes the target when the run is complete. One thread's.

    ``open_writer(format, partial, columns, state)`` makes one: new with ``state`` None, else going on exactly where
    the ``commit`` that returned ``state`` was, whatever was written after it. All raise ``UnwritableOutput`` (folder
    absent or read-only, disk full).
    """

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows; one value per column each."""

    def commit(self) -> State:
        """Everything written so far survives a crash of the machine."""

    def finish(self) -> None:
        """The partial file is the complete, valid output, safe on disk; nothing is written after that.

        May be repeated, from the last state, if the process died within it.
        """

    def close(self) -> None:
        """Let go of the file as it is; after ``finish`` or in its place. Never raises."""
