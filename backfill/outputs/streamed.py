"""Standard output as an output: what is written there is gone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sluice.tasks.errors import UnwritableOutput

#: Stands for it among paths.
STDOUT = Path("-")


class StreamedFile:
    """As ``AppendedFile``, but it cannot be cut back, so that nobody carries on there.

    Raises:
        BrokenPipeError: (on append) who read it has gone.
        UnwritableOutput: it is closed, or its disk is full.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self._number = sys.__stdout__.fileno() if sys.__stdout__ is not None else 1
        self._count = 0

    def append(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:
            try:
                count = os.write(self._number, left)
            except BrokenPipeError:
                raise
            except OSError as exc:
                raise UnwritableOutput(f"standard output cannot be written ({exc.strerror or exc})") from exc
            self._count += count
            left = left[count:]

    def commit(self) -> int:
        """Bytes so far."""
        return self._count

    def close(self) -> None:
        """It stays open: it is not ours."""
