"""Reads a finished output back: only the columns that the report needs, a slice at a time."""

from __future__ import annotations

import csv
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from sluice.backfill.report.names import ReportNames
from sluice.tasks.errors import UnreadableArchive

#: Most rows and, a row more or less, most characters of text in one batch.
BATCH_ROWS = 16_384
BATCH_CHARS = 2_000_000
#: The table of a SQLite output.
TABLE = "messages"

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Columns of equal length; an empty string counts as missing.

    Attributes:
        text, sender: ``large_string``; None where the output has no such column.
        time: ``large_string``, or the number, date or timestamp type that the output keeps.
        label, error: ``large_string``.
        probability: ``double``.
    """

    text: pa.Array | None
    sender: pa.Array | None
    time: pa.Array | None
    label: pa.Array
    probability: pa.Array
    error: pa.Array

    def __len__(self) -> int:
        return len(self.label)


def batches(target: Path, output_format: str, names: ReportNames) -> Iterator[Batch]:
    """Every row of ``target``, in order.

    Raises:
        UnreadableArchive: it is absent or broken, or lacks one of the columns.
    """
    try:
        if output_format == "parquet":
            yield from _of_parquet(target, names)
        else:
            rows = ROWS[output_format](target, names.wanted())
            yield from (_of_rows(slice_, names) for slice_ in _sliced(rows, names))
    except (OSError, csv.Error, orjson.JSONDecodeError, sqlite3.Error, pa.ArrowException, LookupError) as exc:
        # What libraries say of a broken file may quote it.
        reason = os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else type(exc).__name__
        raise UnreadableArchive(f"{target}: the output cannot be read for the report ({reason})") from exc


def _of_parquet(target: Path, names: ReportNames) -> Iterator[Batch]:
    from pyarrow import parquet

    with parquet.ParquetFile(target, pre_buffer=False, buffer_size=1 << 20) as file:
        _require(names.wanted(), file.schema_arrow.names, target)
        for batch in file.iter_batches(BATCH_ROWS, columns=names.wanted(), use_threads=False):
            yield _batch(names, batch.column)


def _of_rows(rows: Sequence[Values], names: ReportNames) -> Batch:
    columns = dict(zip(names.wanted(), zip(*rows, strict=True), strict=True))
    numbers = {names.probability}
    arrays = {
        name: pa.array([None if value in ("", None) else float(value) for value in column], pa.float64())
        if name in numbers
        else _strings(column)
        for name, column in columns.items()
    }
    return _batch(names, arrays.__getitem__)


def _strings(column: Iterable[Any]) -> pa.Array:
    values = [value or None if type(value) is str else value if value is None else str(value) for value in column]
    try:
        return pa.array(values, pa.large_string())
    except UnicodeEncodeError:  # bytes of the input that were no UTF-8
        clean = [value and value.encode("utf-8", "replace").decode() for value in values]
        return pa.array(clean, pa.large_string())


def _batch(names: ReportNames, column: Callable[[str], pa.Array]) -> Batch:
    def strings(name: str) -> pa.Array:
        values = column(name)
        return values if values.type == pa.large_string() else _as_strings(values)

    def first(role: str) -> pa.Array | None:
        found = names.columns(role)
        return pc.coalesce(*map(strings, found)) if found else None

    return Batch(
        text=first("text"),
        sender=first("sender"),
        time=column(names.time) if names.time is not None and len(names.columns("time")) == 1 else first("time"),
        label=strings(names.label),
        probability=column(names.probability).cast(pa.float64()),
        error=strings(names.error),
    )


def _as_strings(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_nested(values.type) or pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return _strings(values.to_pylist())
    values = values.cast(pa.large_string())
    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.large_string()), values)


def _sliced(rows: Iterator[Values], names: ReportNames) -> Iterator[list[Values]]:
    """``rows`` in slices whose texts together stay in bounds, however long the single ones are."""
    places = [names.wanted().index(name) for name in names.columns("text")]
    slice_: list[Values] = []
    chars = 0
    for row in rows:
        slice_.append(row)
        chars += sum(len(row[at]) for at in places if isinstance(row[at], str))
        if len(slice_) >= BATCH_ROWS or chars >= BATCH_CHARS:
            yield slice_
            slice_, chars = [], 0
    if slice_:
        yield slice_


def _delimited(delimiter: str) -> Callable[[Path, list[str]], Iterator[Values]]:
    def rows(target: Path, wanted: list[str]) -> Iterator[Values]:
        csv.field_size_limit(2**31 - 1)
        with target.open(encoding="utf-8", errors="replace", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter)
            header = next(reader, [])
            _require(wanted, header, target)
            pick = itemgetter(*(header.index(name) for name in wanted))
            yield from map(pick, reader)

    return rows


def _jsonl(target: Path, wanted: list[str]) -> Iterator[Values]:
    with target.open("rb") as lines:
        for number, line in enumerate(lines):
            row = orjson.loads(line)
            if number == 0:
                _require(wanted, list(row), target)
            yield tuple(map(row.get, wanted))


def _sqlite(target: Path, wanted: list[str]) -> Iterator[Values]:
    with closing(sqlite3.connect(f"{target.resolve().as_uri()}?mode=ro", uri=True)) as base:
        base.text_factory = lambda raw: raw.decode("utf-8", "replace")
        # A quoted name that is no column would be taken for a string.
        _require(wanted, [row[1] for row in base.execute(f"PRAGMA table_info({TABLE})")], target)
        columns = ", ".join('"' + name.replace('"', '""') + '"' for name in wanted)
        yield from base.execute(f"SELECT {columns} FROM {TABLE} ORDER BY rowid")  # noqa: S608


def _require(wanted: Sequence[str], present: Sequence[str], target: Path) -> None:
    if absent := [name for name in wanted if name not in present]:
        raise UnreadableArchive(f"{target}: the output has no column {absent[0]!r}, which the report needs")


#: How the formats without types of their own give ``wanted`` columns, a tuple a row.
ROWS: dict[str, Callable[[Path, list[str]], Iterator[Values]]] = {
    "csv": _delimited(","),
    "tsv": _delimited("\t"),
    "jsonl": _jsonl,
    "sqlite": _sqlite,
}
