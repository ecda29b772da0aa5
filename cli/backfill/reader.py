"""Reads a CSV archive row by row. No row ever stops it: what cannot be read becomes a row with an error."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.backfill.row import Row
from tasks.errors import SluiceError

#: Names under which archives keep the text, in the order in which they are tried.
TEXT_COLUMNS = ("text", "message", "body", "sms", "content")
#: Longest field in characters. An unclosed quote would otherwise swallow the rest of the file into one field.
MAX_FIELD_CHARS = 1_000_000


class UnreadableArchive(SluiceError):
    """The file as a whole cannot be read, or no column of it holds texts."""

    status = 422
    code = "unreadable_archive"


class CsvReader:
    """The rows of a CSV file in UTF-8 (with or without a byte order mark), with a header.

    Args:
        path: the file.
        text_column: the column that holds the texts; None to look for one of ``TEXT_COLUMNS``.
        max_text_chars: longest text that the service accepts.

    Raises:
        UnreadableArchive: (on entry) no file, no header, or no such column.
    """

    def __init__(self, path: Path, text_column: str | None, max_text_chars: int) -> None:
        self._path = path
        self._wanted = text_column
        self._max_text_chars = max_text_chars
        self.header: list[str] = []
        self.text_column = ""
        self.size = 0

    def __enter__(self) -> Self:
        try:
            self._raw = self._path.open("rb")
            # Bytes that are not UTF-8 survive as surrogates, so that the output can hold them unchanged.
            self._lines = TextIOWrapper(self._raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
            self.size = self._path.stat().st_size
        except OSError as exc:
            raise UnreadableArchive(f"{self._path} cannot be read ({exc.strerror})") from exc
        csv.field_size_limit(MAX_FIELD_CHARS)
        self._csv = csv.reader(self._lines)
        self.header = self._read_header()
        self.text_column = self._choose()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._lines.close()

    def __iter__(self) -> Iterator[Row]:
        at = self.header.index(self.text_column)
        while True:
            try:
                fields = next(self._csv)
            except StopIteration:
                return
            except csv.Error as exc:
                yield self._unreadable(f"line {self._csv.line_num}: {exc}")
                continue
            if fields:
                yield self._row(fields, at)

    def _read_header(self) -> list[str]:
        try:
            header = next(self._csv, [])
        except csv.Error as exc:
            raise UnreadableArchive(f"{self._path} has no readable header ({exc})") from exc
        if not any(name.strip() for name in header):
            raise UnreadableArchive(f"{self._path} has no header: its first line must name the columns")
        return header

    def _choose(self) -> str:
        if self._wanted is not None:
            if self._wanted in self.header:
                return self._wanted
            raise UnreadableArchive(f"{self._path} has no column {self._wanted!r}; its columns are {self._columns()}")
        by_name = {name.strip().lower(): name for name in reversed(self.header)}
        for name in TEXT_COLUMNS:
            if name in by_name:
                return by_name[name]
        raise UnreadableArchive(
            f"none of the columns of {self._path} is called {', '.join(TEXT_COLUMNS)}:"
            f" name one of {self._columns()} with --text-column"
        )

    def _columns(self) -> str:
        return ", ".join(repr(name) for name in self.header[:20])

    def _row(self, fields: list[str], at: int) -> Row:
        width = len(self.header)
        if len(fields) > width:
            return self._unreadable(
                f"line {self._csv.line_num}: {len(fields)} fields, but the header names {width}", fields[:width]
            )
        if len(fields) <= at:
            return self._unreadable(f"line {self._csv.line_num}: the row ends before its text column", fields)
        row = Row(fields + [""] * (width - len(fields)), fields[at], self._position())
        if not fields[at].strip():
            row.refuse("the text is empty or blank")
        elif len(fields[at]) > self._max_text_chars:
            row.refuse(f"the text has {len(fields[at])} characters, over the limit of {self._max_text_chars}")
        elif not _is_unicode(fields[at]):
            row.refuse("the text is not UTF-8")
        return row

    def _unreadable(self, problem: str, fields: list[str] | None = None) -> Row:
        fields = fields or []
        row = Row(fields + [""] * (len(self.header) - len(fields)), None, self._position())
        row.refuse(problem)
        return row

    def _position(self) -> int:
        return self._raw.tell()


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
