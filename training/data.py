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


@dataclass(frozen=True)
class Example:
    """One labelled message."""

    text: str
    label: str
    language: str = ""
    source: str = ""


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
    reader = csv.DictReader(io.StringIO(_read_text(path), newline=""))
    header = reader.fieldnames or []
    for column in (columns.text, columns.label):
        if column not in header:
            raise DataError(f"{path}: there is no column {column!r}; the columns are {', '.join(header) or 'none'}.")
    examples = []
    try:
        for number, row in enumerate(reader, start=1):
            examples.append(_example(row, columns, labels, f"{path}, row {number} (line {reader.line_num})"))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not valid CSV ({error}).") from None
    if not examples:
        raise DataError(f"{path}: the file has no rows.")
    return examples


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: not UTF-8; save the file as UTF-8.") from None


def _example(row: dict[str, str | None], columns: Columns, labels: Sequence[str] | None, where: str) -> Example:
    text = row.get(columns.text)
    if not text or not text.strip():
        raise DataError(f"{where}: the column {columns.text!r} is empty.")
    label = (row.get(columns.label) or "").strip().lower()
    if not label:
        raise DataError(f"{where}: the column {columns.label!r} is empty.")
    if labels is not None and label not in labels:
        raise DataError(f"{where}: unknown label {label!r} in column {columns.label!r}; use {', '.join(labels)}.")
    return Example(text, label, row.get(columns.language) or "", row.get(columns.source) or "")


def label_order(examples: Sequence[Example]) -> tuple[str, ...]:
    """The labels of the data: ham, spam, phishing first and in that order, others by name."""
    known = ("ham", "spam", "phishing")
    found = {example.label for example in examples}
    return tuple([label for label in known if label in found] + sorted(found - set(known)))
