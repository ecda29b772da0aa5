"""The facts in sentences about a backfill that the command line and HTTP say in words of their own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sluice.backfill.table.names import listed
from sluice.tasks.sentence import Sentence

#: Something worth knowing about an input or a run.
Note = str | Sentence


class Option(StrEnum):
    """What a caller can say about a backfill: an option of the command, a field of the form."""

    FORMAT = "format"
    TEXT_COLUMN = "text_column"
    SENDER_COLUMN = "sender_column"
    TIME_COLUMN = "time_column"
    ENCODING = "encoding"
    DELIMITER = "delimiter"
    DATE_ORDER = "date_order"
    OUTPUT = "output"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a file or a caller has written, such as the name of a column: in a file without a header, a text."""

    value: object

    def __str__(self) -> str:
        return repr(self.value)


class Names(tuple[str, ...]):
    """Names of columns or tables, as a file has them."""

    __slots__ = ()

    def __str__(self) -> str:
        return listed(self) or "none"


class Reason(str):
    """What the system or a library says went wrong, which may quote a file."""

    __slots__ = ()
