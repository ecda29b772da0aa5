"""The lines of the row that is being read, which can be taken back."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator

#: Characters that may be taken back, for each one that is read: what bounds the work where every line opens a quote.
SPARE = 2


class RowLines:
    """Lines for a ``csv.reader``, kept until ``done``.

    Args:
        lines: with their ends.
        number: lines before the first of them.
        most_chars: longest row.

    Attributes:
        number: lines before the row.
        row: its lines, as far as they have been read.
        ended: there are no more.
    """

    def __init__(self, lines: Iterator[str], number: int, most_chars: int) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._most_chars = most_chars
        self._spare = most_chars
        self.number = number
        self.row: list[str] = []
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        """The lines from here on.

        Raises:
            csv.Error: the row is too long.
        """
        row, chars = self.row, 0
        while True:
            if self._again:
                line = self._again.popleft()
            else:
                found = next(self._lines, None)
                if found is None:
                    self.ended = True
                    return
                line = found
                self._spare += SPARE * len(line)
            chars = chars + len(line) if row else len(line)
            if row and chars > self._most_chars:
                self._again.appendleft(line)
                raise csv.Error(f"the row is longer than {self._most_chars:,} characters")
            row.append(line)
            yield line

    def more(self) -> bool:
        """Whether there may be another row."""
        return not self.ended

    def done(self) -> None:
        """The next line begins a row."""
        self.number += len(self.row)
        self.row.clear()

    def take_back(self) -> bool:
        """All lines of the row but the first will be read anew; False if that would be too much work.

        Either way the row is done, and a new iteration has to begin.
        """
        rest = self.row[1:]
        chars = sum(map(len, rest))
        back = chars <= self._spare
        if back:
            self._spare -= chars
            self._again.extendleft(reversed(rest))
            del self.row[1:]
            self.ended = False
        self.done()
        return back
