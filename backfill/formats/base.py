"""What every format's module has, and what its reader is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sluice.backfill.formats.encoding import Encoding
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Column, Roles
from sluice.backfill.table.row import Row

if TYPE_CHECKING:
    from sluice.backfill.formats.sample import Sample

#: Names under which archives keep the text, the sender and the time, in the order in which they are tried.
TEXT_NAMES = ("text", "message", "body", "sms", "content")
SENDER_NAMES = ("sender", "from", "address", "originator", "source_addr", "handle", "phone", "number", "msisdn")
TIME_NAMES = ("received_at", "timestamp", "datetime", "date", "time", "created_at", "sent_at", "date_sent")
#: Longest field or line, in characters or bytes: an unclosed quote would otherwise swallow the rest of a file.
MAX_FIELD_CHARS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What ``probe`` has found out; formats whose reader needs more of it have a class of their own.

    Many inputs are looked at before the first is read, so it holds nothing large.

    Attributes:
        encoding: of those that are text.
        may_be_plain: it is so unsure that plain text is as likely, where that may be expected.
    """

    encoding: Encoding | None = None
    may_be_plain: bool = False


class Reader(Protocol):
    """The rows of one input. Opening it surveys the input as far as its columns need; rows come in stable order.

    A broken row never stops a reader: it becomes a ``Row`` with a ``problem``.
    """

    @property
    def columns(self) -> Sequence[Column]: ...
    @property
    def roles(self) -> Roles: ...
    def rows(self) -> Iterator[Row]:
        """Every row from the first one; may be called again."""

    def close(self) -> None: ...


class FormatModule(Protocol):
    """A module of this package that ``table.FORMATS`` names."""

    def probe(self, sample: Sample) -> Finding | None:
        """What is found in an input of this format; None if it is none.

        Raises:
            DamagedArchive: it is one, and broken.
        """

    def open_reader(self, input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> Reader:
        """A reader.

        Args:
            finding: what ``probe`` said; a plain ``Finding`` or None where nobody has asked it, since the caller named
                the format: then the reader finds out by itself.

        Raises:
            UnreadableArchive: the input as a whole makes no sense.
        """
