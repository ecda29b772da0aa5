"""What all inputs of a run share while they are unpacked: a folder, a limit, a stop."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sluice.tasks.errors import UnreadableArchive, UnwritableOutput

#: Longest part of an input's own name in the name of its unpacked copy.
NAME_CHARS = 60


class Unpacking:
    """Bounds what inputs unpack to, and gives them paths for what must be a file.

    Args:
        folder: where unpacked files go; made when the first one is needed.
        max_bytes: most bytes that all inputs together may have when unpacked; 0 for no limit.
        check: called between slices of long work; raises to end it.
    """

    def __init__(self, folder: Path, max_bytes: int, check: Callable[[], None]) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._left = max_bytes
        self._paths = 0
        self.check = check

    def take(self, name: str, count: int) -> None:
        """Count ``count`` bytes of ``name`` that nobody has unpacked before.

        Raises:
            UnreadableArchive: the inputs are larger than allowed.
        """
        self._left -= count
        if self._max_bytes and self._left < 0:
            raise UnreadableArchive(
                f"{name} unpacks to too much: all inputs together may have {self._max_bytes:,} bytes when unpacked",
                {"limit": self._max_bytes},
            )

    def new_path(self, name: str) -> Path:
        """A path in the folder that no other input has.

        Raises:
            UnwritableOutput: the folder cannot be made.
        """
        self._paths += 1
        ending = re.sub(r"[^A-Za-z0-9._-]", "_", Path(name).name)[-NAME_CHARS:]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise UnwritableOutput(f"{self._folder} cannot be made ({exc.strerror})") from exc
        return self._folder / f"input-{self._paths}-{ending}"
