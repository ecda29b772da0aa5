"""One row of an archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.envelope import Entry, failed


@dataclass(slots=True)
class Row:
    """A row as it was read.

    Attributes:
        fields: its columns, as many as the header has.
        text: what to classify; None when the row could not be read.
        end: how far into the file the reader was after this row, in bytes.
        entry: the answer, once there is one; what cannot be sent gets its error at once.
    """

    fields: Sequence[str]
    text: str | None
    end: int
    entry: Entry | None = None

    def refuse(self, message: str) -> None:
        """This row is not sent; ``message`` says why."""
        self.entry = failed(None, "invalid_input", message)
