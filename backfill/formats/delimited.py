"""CSV, TSV and their like. No row ever stops the reader: what cannot be read becomes a row with a problem."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sluice.backfill.formats.base import MAX_FIELD_CHARS, TEXT_NAMES, Finding
from sluice.backfill.formats.dialect import Dialect, Match, delimiter_of, dialect_of
from sluice.backfill.formats.encoding import Encoding, whole
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.line_ends import KEPT, kept, newline_of, restored
from sluice.backfill.formats.roles import roles_of
from sluice.backfill.formats.row_lines import RowLines
from sluice.backfill.formats.sample import Sample
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Column, unique
from sluice.backfill.table.names import NAME_WORDS, is_name, is_value
from sluice.backfill.table.row import Row
from sluice.tasks.errors import NoMessages, UnreadableArchive

#: Longest line, in characters; rows over several lines may have more.
MAX_LINE_CHARS = 8 * MAX_FIELD_CHARS
#: Least share of rows that fit a header with unknown names, for a text to be such a table.
MIN_SHARE = 0.8
#: In place of an over-long line: the ``csv`` module then raises its own error, whatever state it is in.
_TOO_LONG = "x" * (MAX_FIELD_CHARS + 1)
#: Lines of a text that may have as many delimiters as a row, by chance.
MOST_ALIKE = 2
#: What a column that is given by its number makes worth saying.
FIRST_LINE = "its first line is taken for the names of its columns, and for no message"
#: Characters of the sample that the dialect is found from.
DIALECT_CHARS = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFinding(Finding):
    """How to read a table.

    Attributes:
        header: its first row.
        newline: what ``open`` takes for its lines.
        quoted: there are quotes in its first lines.
        repeats: a field of the header is in a later row of the same column too.
    """

    encoding: Encoding
    dialect: Dialect
    header: list[str]
    newline: str
    quoted: bool
    repeats: bool


def probe(sample: Sample) -> TableFinding | None:
    """Its first rows have as many fields as the header, or the header names what is looked for."""
    if sample.head.startswith("<"):
        return None
    match = sample.once(match_of)
    if match is None or not (match.known or (len(match.header) > 1 and match.share >= MIN_SHARE)):
        return None
    return _found(sample, match)


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> DelimitedReader:
    """The rows of a delimited file with a header.

    Raises:
        UnreadableArchive: no header, no such column, no such encoding.
    """
    if isinstance(finding, TableFinding):
        return DelimitedReader(input_file, options, finding)
    sample = Sample.of(input_file, options)
    match = match_of(sample)
    if match is None:
        raise NoMessages(f"{input_file.name} is empty or has no header: its first line must name the columns")
    return DelimitedReader(input_file, options, _found(sample, match))


def match_of(sample: Sample) -> Match | None:
    """The dialect of a file, and how well it fits; None if nothing is in it."""
    options, text = sample.options, sample.text
    delimiter = delimiter_of(options.delimiter) if options.delimiter else None
    names = {options.text_column.strip().lower()} if options.text_column else set(TEXT_NAMES)
    # A header of a hundred thousand columns is longer than that.
    if newline_of(text):
        text = kept(text)
    chars = DIALECT_CHARS if re.search("[\r\n]", text[:DIALECT_CHARS].lstrip("\r\n")) else len(text)
    return dialect_of(text[:chars], sample.complete and len(text) <= chars, names, delimiter)


def _found(sample: Sample, match: Match) -> TableFinding:
    return TableFinding(
        encoding=sample.encoding,
        # A comma in each line of few makes a table of any text, whose first line is then no header.
        may_be_plain=not match.known and any(len(name.split()) > NAME_WORDS for name in match.header),
        dialect=match.dialect,
        header=match.header,
        newline=newline_of(sample.text),
        quoted=(match.dialect.quote or "") in sample.text,
        repeats=any(
            field and field in {row[column] for row in match.first if column < len(row)}
            for column, field in enumerate(match.header)
        ),
    )


class DelimitedReader:
    """See ``open_reader``. All values are strings, as they are in the file."""

    def __init__(self, input_file: InputFile, options: ReadOptions, finding: TableFinding) -> None:
        self._input_file = input_file
        self._encoding, self._dialect, self._newline = finding.encoding, finding.dialect, finding.newline
        self._quoted = finding.quoted
        self._padded = re.compile(f"({self._dialect.quote}) +(?={re.escape(self._dialect.delimiter)}|[\r\n]|\\Z)")
        self._header = _header(input_file.name, restored(finding.header))
        self.columns: Sequence[Column] = [Column(name) for name in self._header]
        named = _by_name(input_file.name, self._header, options, finding.repeats)
        self.roles = roles_of(input_file.name, self._header, named)
        notes = [self._encoding.note, self._dialect.note(), FIRST_LINE if named != options else None]
        self.notes = [note for note in notes if note]

    def close(self) -> None:
        """Nothing is open between two calls of ``rows``."""

    def rows(self) -> Iterator[Row]:
        csv.field_size_limit(MAX_FIELD_CHARS)
        with (
            self._input_file.open() as raw,
            io.TextIOWrapper(raw, self._encoding.name, self._encoding.errors, newline=self._newline) as text,
        ):
            for _ in range(self._dialect.said):
                text.readline()
            rows = self._read(text)
            next(rows, None)
            yield from rows if self._encoding.is_utf8 else map(whole, rows)

    def _read(self, text: io.TextIOWrapper) -> Iterator[Row]:
        """All rows, the header too."""
        plain = map(kept, _lines(text)) if self._newline else _lines(text)
        plain = map(self._dialect.doubled, plain) if self._dialect.escaped else plain
        lines = RowLines(plain, self._dialect.said, MAX_LINE_CHARS)
        width, at = len(self._header), self._header.index(self.roles.text or "")
        while lines.more():
            try:
                for fields in csv.reader(lines, **self._dialect.arguments()):
                    if lines.ended or (len(lines.row) > 1 and not self._is_closed(lines.row)):
                        yield self._unclosed(lines)
                        break
                    if KEPT in lines.row[0] or (len(lines.row) > 1 and KEPT in "".join(lines.row)):
                        yield from self._with_returns(fields, at, lines)
                    elif len(fields) == width:
                        yield Row(fields, fields[at])
                    elif fields:
                        yield self._uneven(fields, at, lines.number + len(lines.row))
                    lines.done()
            except csv.Error as exc:
                if len(lines.row) > 1:
                    yield self._unclosed(lines)
                else:
                    yield Row([""] * width, None, f"line {lines.number + 1}: {exc}")
                    lines.done()

    def _with_returns(self, fields: list[str], at: int, lines: RowLines) -> Iterator[Row]:
        """The row of ``fields``, of which some have carriage returns; or rows, where these end each of them."""
        width = len(self._header)
        if len(fields) > width and len(lines.row) == 1:
            pieces = lines.row[0].rstrip("\r\n").split(KEPT)
            rows = list(csv.reader(pieces, **self._dialect.arguments()))
            if all(len(row) == width for row in rows):
                yield from (Row(row, row[at]) for row in rows)
                return
        fields = restored(fields)
        number = lines.number + len(lines.row)
        yield Row(fields, fields[at]) if len(fields) == width else self._uneven(fields, at, number)

    def _is_closed(self, row: list[str]) -> bool:
        """Whether quotes of a row over several lines end where fields do: else they join what is apart.

        In a file that seemed to have none, they also do where each line has as many fields as a row.
        """
        count, delimiter = len(self._header) - 1, self._dialect.delimiter
        unlikely = not self._quoted and count and len(row) > MOST_ALIKE
        if unlikely and all(line.count(delimiter) == count for line in row):
            return False
        try:
            list(csv.reader(map(self._unpadded, row), strict=True, **self._dialect.arguments()))
        except csv.Error:
            return False
        return True

    def _unpadded(self, line: str) -> str:
        """``line`` without spaces behind quotes, which strict rules do not have."""
        return self._padded.sub(r"\1", line)

    def _unclosed(self, lines: RowLines) -> Row:
        """The row of a line that opens a quote that is never closed; the lines after it are read anew."""
        width, first, problem = len(self._header), lines.row[0], f"line {lines.number + 1}: a quote is not closed"
        rest = len(lines.row) - 1
        if not lines.take_back():
            problem += f", and {rest:,} lines after it could not be read"
        try:
            (fields,) = csv.reader([first], delimiter=self._dialect.delimiter, quoting=csv.QUOTE_NONE)
        except csv.Error:
            fields = []
        return Row(restored([*fields, *[""] * width][:width]), None, problem)

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


def _header(name: str, header: list[str]) -> list[str]:
    if not any(field.strip() for field in header):
        raise NoMessages(f"{name} has no header: its first line must name the columns")
    return unique(header)


def _by_name(name: str, header: Sequence[str], options: ReadOptions, repeats: bool) -> ReadOptions:
    """``options`` with the names of columns in place of positions; ``repeats`` as in ``TableFinding``.

    Raises:
        UnreadableArchive: a position is meant, but the first line is a row like any other.
    """

    def named(wanted: str | None) -> str | None:
        if not _is_position(wanted, header):
            return wanted
        assert wanted is not None
        at = int(wanted) - 1
        if repeats or any(map(is_value, header)) or not is_name(header[at]):
            raise UnreadableArchive(
                f"{name} seems to have no header, for its first line holds values like the others: add a line that"
                " names the columns, or say what they are called if it is one"
            )
        return header[at]

    return replace(
        options,
        text_column=named(options.text_column),
        sender_column=named(options.sender_column),
        time_column=named(options.time_column),
    )


def _is_position(wanted: str | None, header: Sequence[str]) -> bool:
    return wanted is not None and wanted not in header and wanted.isdecimal() and 1 <= int(wanted) <= len(header)
