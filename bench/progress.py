"""What a measurement is doing, on stderr, so that a run of minutes does not look like a hang."""

from __future__ import annotations

import sys
import time


class Progress:
    """Lines with the minutes and seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        print(f"{minutes:2}:{seconds:02}  {line}", file=sys.stderr, flush=True)


progress = Progress()
