"""One row of an archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Row:
    """A row as it was read.

    Attributes:
        values: one per column of its reader.
        text: what to classify; None when there is none or the row could not be read.
        problem: why the row is not sent, a sentence without any text of the row; None if it is good. Blank, over-long
            and un-encodable texts are found by the engine, so readers need not look for them.
    """

    values: Sequence[Any]
    text: str | None
    problem: str | None = None
