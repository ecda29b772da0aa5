"""Labelled messages from CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

csv.field_size_limit(16_000_000)


class DataError(ValueError):
    """A data file that cannot be used; the message names the file, and the column or row."""


Row = dict[str, str | None]
"""Cells by the names of their columns."""


@dataclass(frozen=True)
class Example:
    """One labelled message."""

    text: str
    label: str
    language: str = ""
    source: str = ""
    reviewed: bool = False
    """Whether a person has corrected the label, so that no teacher's opinion counts against it."""


@dataclass(frozen=True)
class Columns:
    """Which columns hold what. Only the first two must exist."""

    text: str = "text"
    label: str = "label"
    language: str = "language"
    source: str = "source"


def read_examples(path: Path, labels: Sequence[str] | None = None, columns: Columns | None = None) -> list[Example]:
    """Reads a CSV file with a header, in UTF-8 (a byte order mark is allowed).

    Raises DataError for a missing file or column, another encoding, an empty text, a label that is not
    among `labels` (any label, when None), and a file without rows.
    """
    columns = columns or Columns()
    return [
        Example(
            filled(row, columns.text, where),
            read_label(row, columns.label, labels, where),
            row.get(columns.language) or "",
            row.get(columns.source) or "",
        )
        for where, row in read_rows(path, (columns.text, columns.label))
    ]


def read_rows(path: Path, required: Sequence[str]) -> list[tuple[str, Row]]:
    """The rows of a CSV file with a header, each with the words that say where it stands.

    Raises DataError for a missing file or column, another encoding, a broken row, and a file without rows.
    """
    reader = csv.DictReader(io.StringIO(_read_text(path), newline=""))
    header = reader.fieldnames or []
    for column in required:
        if column not in header:
            raise DataError(f"{path}: there is no column {column!r}; the columns are {', '.join(header) or 'none'}.")
    rows = []
    try:
        for number, row in enumerate(reader, start=1):
            rows.append((f"{path}, row {number} (line {reader.line_num})", row))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not valid CSV ({error}).") from None
    if not rows:
        raise DataError(f"{path}: the file has no rows.")
    return rows


def read_bytes(path: Path) -> bytes:
    """Raises DataError when the file cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None


def _read_text(path: Path) -> str:
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: not UTF-8; save the file as UTF-8.") from None


def filled(row: Row, column: str, where: str) -> str:
    """The text of a cell, as it is.

    Raises DataError when it is empty.
    """
    text = row.get(column)
    if not text or not text.strip():
        raise DataError(f"{where}: the column {column!r} is empty.")
    return text


def read_label(row: Row, column: str, labels: Sequence[str] | None, where: str) -> str:
    """The label in a cell, in lower case.

    Raises DataError when the cell is empty, or names none of `labels` (any, when None).
    """
    label = filled(row, column, where).strip().lower()
    if labels is not None and label not in labels:
        raise DataError(f"{where}: unknown label {label!r} in column {column!r}; use {', '.join(labels)}.")
    return label


def label_order(examples: Sequence[Example]) -> tuple[str, ...]:
    """The labels of the data: ham, spam, phishing first and in that order, others by name."""
    known = ("ham", "spam", "phishing")
    found = {example.label for example in examples}
    return tuple([label for label in known if label in found] + sorted(found - set(known)))
