"""What every format's reader is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from sluice.backfill.table.columns import Column, Roles
from sluice.backfill.table.row import Row

#: Names under which archives keep the text, the sender and the time, in the order in which they are tried.
TEXT_NAMES = ("text", "message", "body", "sms", "content")
SENDER_NAMES = ("sender", "from", "address", "originator", "source_addr", "handle", "phone", "number", "msisdn")
TIME_NAMES = ("received_at", "timestamp", "datetime", "date", "time", "created_at", "sent_at", "date_sent")
#: Longest field or line, in characters or bytes: an unclosed quote would otherwise swallow the rest of a file.
MAX_FIELD_CHARS = 1_000_000


class Reader(Protocol):
    """The rows of one input. Opening it surveys the input as far as its columns need; rows come in stable order.

    Modules of this package offer ``open_reader(input_file, options) -> Reader`` and raise ``UnreadableArchive`` when
    the input as a whole makes no sense. A broken row never stops a reader: it becomes a ``Row`` with a ``problem``.
    """

    @property
    def columns(self) -> Sequence[Column]: ...
    @property
    def roles(self) -> Roles: ...
    def rows(self) -> Iterator[Row]:
        """Every row from the first one; may be called again."""

    def close(self) -> None: ...
