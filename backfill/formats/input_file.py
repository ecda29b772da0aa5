"""One thing to read from, whatever it was packed in."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol


class InputFile(Protocol):
    """One file, unpacked on the way. Not for several threads."""

    @property
    def name(self) -> str:
        """What messages call it: its path, with ``!member`` for one in a ZIP."""

    @property
    def size(self) -> int:
        """Bytes that it takes on disk, packed: the unit of progress."""

    def open(self) -> BinaryIO:
        """Its unpacked bytes from the start, forwards only; may be called again.

        They end early where packed bytes are damaged; the source then adds a row that says so.

        Raises:
            UnreadableArchive: absent, forbidden or broken from the start.
        """

    def local_path(self) -> Path:
        """A real, unpacked file, for what must seek; made in the run's folder if it is none yet.

        Raises:
            UnreadableArchive: as ``open``.
        """

    @property
    def position(self) -> int:
        """How far, of ``size``, the stream opened last has been read; for readers of ``file`` what they ``report``."""

    def report(self, share: float) -> None:
        """Said by readers that do not read through ``open``: this share of the file, 0..1, is read.

        Raises:
            Stopped: as ``check``.
        """

    def check(self) -> None:
        """Called now and then by readers that do not read through ``open``, which does so itself.

        Raises:
            Stopped: a stop was asked for.
        """
