"""CSV, TSV and their like. No row ever stops the reader: what cannot be read becomes a row with a problem."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from backfill.columns import Column, Roles, unique
from backfill.formats.base import MAX_FIELD_CHARS, SENDER_NAMES, TEXT_NAMES, TIME_NAMES, ReadOptions, choose
from backfill.formats.dialect import Match, delimiter_of, dialect_of
from backfill.formats.encoding import SAMPLE_BYTES, Encoding, decoded, encoding_of
from backfill.inputs.origin import Origin
from backfill.row import Row
from tasks.errors import UnreadableArchive

#: Longest line, in characters; rows over several lines may have more.
MAX_LINE_CHARS = 8 * MAX_FIELD_CHARS
#: In place of an over-long line: the ``csv`` module then raises its own error, whatever state it is in.
_TOO_LONG = "x" * (MAX_FIELD_CHARS + 1)
#: Characters of the sample that the dialect is found from.
DIALECT_CHARS = 1 << 17
#: Names of columns that an error lists.
LISTED = 20


def open_reader(origin: Origin, options: ReadOptions) -> DelimitedReader:
    """The rows of a delimited file with a header.

    Raises:
        UnreadableArchive: no header, no such column, no such encoding.
    """
    return DelimitedReader(origin, options)


def match_of(sample: bytes, complete: bool, options: ReadOptions) -> tuple[Encoding, Match | None]:
    """Encoding and dialect of a file that begins with ``sample``."""
    encoding = encoding_of(sample, options.encoding)
    text = decoded(sample, encoding)
    delimiter = delimiter_of(options.delimiter) if options.delimiter else None
    names = {options.text_column.strip().lower()} if options.text_column else set(TEXT_NAMES)
    complete = complete and len(text) <= DIALECT_CHARS
    return encoding, dialect_of(text[:DIALECT_CHARS], complete, names, delimiter)


class DelimitedReader:
    """See ``open_reader``. All values are strings, as they are in the file."""

    def __init__(self, origin: Origin, options: ReadOptions) -> None:
        self._origin = origin
        with origin.open() as stream:
            sample = stream.read(SAMPLE_BYTES)
        csv.field_size_limit(MAX_FIELD_CHARS)
        self._encoding, match = match_of(sample, len(sample) < SAMPLE_BYTES, options)
        if match is None:
            raise UnreadableArchive(f"{origin.name} is empty or has no header: its first line must name the columns")
        self._dialect = match.dialect
        self._header = _header(origin.name, match.header)
        self.columns: Sequence[Column] = [Column(name) for name in self._header]
        self.roles = _roles(origin.name, self._header, options)
        self.notes = [note for note in (self._encoding.note, self._dialect.note()) if note]

    def close(self) -> None:
        """Nothing is open between two calls of ``rows``."""

    def rows(self) -> Iterator[Row]:
        csv.field_size_limit(MAX_FIELD_CHARS)
        with (
            self._origin.open() as raw,
            io.TextIOWrapper(raw, self._encoding.name, self._encoding.errors, newline="") as text,
        ):
            rows = self._read(text)
            next(rows, None)
            yield from rows if self._encoding.errors == "surrogateescape" else map(_whole, rows)

    def _read(self, text: io.TextIOWrapper) -> Iterator[Row]:
        """All rows, the header too."""
        fields_of = csv.reader(_lines(text), **self._dialect.arguments())
        width, at = len(self._header), self._header.index(self.roles.text or "")
        while True:
            try:
                for fields in fields_of:
                    if len(fields) == width:
                        yield Row(fields, fields[at])
                    elif fields:
                        yield self._uneven(fields, at, fields_of.line_num)
                return
            except csv.Error as exc:
                yield Row([""] * width, None, f"line {fields_of.line_num}: {exc}")

    def _uneven(self, fields: list[str], at: int, line: int) -> Row:
        width = len(self._header)
        if len(fields) > width:
            return Row(fields[:width], None, f"line {line}: {len(fields)} fields, but the header names {width}")
        padded = fields + [""] * (width - len(fields))
        if len(fields) <= at:
            return Row(padded, None, f"line {line}: the row ends before its text column")
        return Row(padded, fields[at])


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Lines with their ends; never longer than ``MAX_LINE_CHARS``, so that one without an end fills no memory."""
    readline = text.readline
    while line := readline(MAX_LINE_CHARS):
        if len(line) == MAX_LINE_CHARS and line[-1] not in "\r\n":
            while (rest := readline(MAX_LINE_CHARS)) and rest[-1] not in "\r\n":
                pass
            line = _TOO_LONG
        yield line


def _whole(row: Row) -> Row:
    """``row``, with a problem if bytes of its text could not be decoded."""
    if row.text is not None and "\ufffd" in row.text:
        row.problem = "the text holds bytes that its encoding does not know"
    return row


def _header(name: str, header: list[str]) -> list[str]:
    if not any(field.strip() for field in header):
        raise UnreadableArchive(f"{name} has no header: its first line must name the columns")
    return unique(header)


def _roles(name: str, header: list[str], options: ReadOptions) -> Roles:
    text = _column(name, header, options.text_column, TEXT_NAMES, "--text-column")
    if text is None:
        raise UnreadableArchive(
            f"none of the columns of {name} is called {', '.join(TEXT_NAMES)}:"
            f" name one of {listed(header)} with --text-column"
        )
    return Roles(
        text,
        _column(name, header, options.sender_column, SENDER_NAMES, "--sender-column"),
        _column(name, header, options.time_column, TIME_NAMES, "--time-column"),
    )


def _column(name: str, header: list[str], wanted: str | None, known: Sequence[str], option: str) -> str | None:
    column = choose(header, wanted, known)
    if column is not None or wanted is None:
        return column
    if wanted.isdecimal() and 1 <= int(wanted) <= len(header):
        if any(_is_value(field) for field in header):
            raise UnreadableArchive(
                f"{name} seems to have no header, for its first line holds numbers: add a line that names the columns"
            )
        return header[int(wanted) - 1]
    raise UnreadableArchive(f"{name} has no column {wanted!r}; its columns are {listed(header)}: see {option}")


def listed(header: Sequence[str]) -> str:
    """The names, for an error; what is no name may be the text of a message, in a file without a header."""
    names = (repr(field) if _is_name(field) else f"(column {at})" for at, field in enumerate(header, 1))
    return ", ".join(islice(names, LISTED))


def _is_name(field: str) -> bool:
    return len(field) <= 40 and len(field.split()) <= 3


def _is_value(field: str) -> bool:
    """Whether it is a number, a date or a telephone number."""
    return re.fullmatch(r"[+(]?\d[\d\s()./:,+TZ-]*", field.strip()) is not None
