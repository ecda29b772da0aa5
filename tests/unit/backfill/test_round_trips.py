"""Every input format into every output format by a whole backfill, and the output read as an input again."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.backfill import engine
from sluice.backfill.in_flight_rows import CHUNK_ROWS
from sluice.backfill.outputs.arrow_types import stored
from sluice.backfill.outputs.table import FORMATS
from sluice.backfill.run.facts import Note
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.run.stats import RunStats
from sluice.backfill.run.stop import Stop
from sluice.backfill.source import open_source
from sluice.backfill.table.columns import Column
from sluice.backfill.table.row import Row
from sluice.backfill.table.values import as_text
from tests.unit.backfill.fakes import FakeClassifier, entry_for
from tests.unit.backfill.inputs.reading import FIXTURES

TEXTS = ["tea at four?", 'a "quoted" one, with a comma', "two\nlines 😀", None, "", "  ", "POISON", "tab\there\r\n;"]
#: More rows than the engine takes at once.
ROWS = CHUNK_ROWS + 50
ADDED = ["label", "probability", "model", "version", "error"]

Make = Callable[[Path], object]


class Silent:
    """A display that shows nothing."""

    def update(self, share: float, stats: RunStats) -> None: ...
    def words(self, note: Note) -> str:
        return str(note)

    def note(self, sentence: str) -> None: ...


def typed() -> pa.Table:
    """A table with a column of each kind of type."""
    numbers = range(ROWS)
    return pa.table(
        {
            "id": pa.array(numbers, pa.uint32()),
            "text": [TEXTS[number % len(TEXTS)] for number in numbers],
            "sender": pa.array([f"+4477009{number % 7:05d}" for number in numbers]).dictionary_encode(),
            "time": pa.array([datetime(2026, 11, 5, tzinfo=UTC)] * ROWS, pa.timestamp("us", "UTC")),
            "share": pa.array([None if number % 5 == 0 else number / 7 for number in numbers], pa.float64()),
            "raw": [b"\xff\x00" * (number % 3) for number in numbers],
            "tags": [["a", None] if number % 2 else [] for number in numbers],
            "who": [{"age": number} if number % 3 else None for number in numbers],
        }
    )


def as_parquet(path: Path) -> None:
    pq.write_table(typed(), path, row_group_size=100)


def as_arrow(path: Path) -> None:
    with pa.ipc.new_stream(path, typed().schema) as writer:
        writer.write_table(typed(), max_chunksize=100)


def as_jsonl(path: Path) -> None:
    rows = [{"n": number, "text": TEXTS[number % len(TEXTS)], "nested": {"a": [number]}} for number in range(ROWS)]
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))


def as_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE messages (rowid TEXT, text TEXT, n INTEGER, share REAL, raw BLOB)")
        rows = [(f"r{n}", TEXTS[n % len(TEXTS)], n, n / 7, b"\xff" * (n % 3)) for n in range(ROWS)]
        database.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", rows)


def as_imessage(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE message (text TEXT, date INTEGER, is_from_me INTEGER)")
        rows = [(TEXTS[n % len(TEXTS)], 721_692_800_000_000_000 + n * 10**9, n % 2) for n in range(ROWS)]
        database.executemany("INSERT INTO message VALUES (?, ?, ?)", rows)


def as_sms_ie(path: Path) -> None:
    messages = [{"_id": str(n), "address": "PARCEL", "body": TEXTS[n % len(TEXTS)]} for n in range(ROWS)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("messages.ndjson", b"\n".join(map(orjson.dumps, messages)))


def copied(name: str) -> Make:
    return lambda path: path.write_bytes((FIXTURES / name).read_bytes())


INPUTS: dict[str, tuple[str, Make]] = {
    "semicolons": ("csv", copied("semicolons_cp1252.csv")),
    "tabs": ("csv", copied("tabs_utf16.tsv")),
    "jsonl fixture": ("jsonl", copied("messages.jsonl")),
    "jsonl": ("jsonl", as_jsonl),
    "backup": ("backup-xml", copied("sms_backup.xml")),
    "whatsapp ios": ("whatsapp", copied("whatsapp_ios.txt")),
    "whatsapp android": ("whatsapp", copied("whatsapp_android.txt")),
    "parquet": ("parquet", as_parquet),
    "arrow": ("arrow", as_arrow),
    "sqlite": ("sqlite", as_sqlite),
    "imessage": ("imessage", as_imessage),
    "sms-ie": ("sms-ie", as_sms_ie),
}


def table(plan: Plan) -> tuple[str, Sequence[Column], list[Row]]:
    """Format, columns and rows of an archive."""
    with open_source(plan, Stop()) as source:
        return source.format, source.columns, list(source.rows())


def told(value: Any) -> str | None:
    """A value as every format can tell it; only some tell a missing one from an empty one."""
    return None if value is None else as_text(value) or None


def type_in(output_format: str, kind: pa.DataType) -> pa.DataType:
    """The type with which a column of ``kind`` comes back."""
    if output_format == "parquet":
        return stored(kind)
    if output_format == "sqlite" and pa.types.is_binary(kind):
        return kind
    if output_format in ("sqlite", "jsonl"):
        if pa.types.is_integer(kind):
            return pa.int64()
        if pa.types.is_floating(kind):
            return kind
    return pa.string()


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("name", INPUTS)
def test_rows_survive_in_order_with_their_texts_and_types(tmp_path: Path, name: str, output_format: str) -> None:
    source, target = tmp_path / "archive", tmp_path / f"out{FORMATS[output_format].suffixes[0]}"
    kind, make = INPUTS[name]
    make(source)
    options = ReadOptions(text_column="Nachricht" if name == "semicolons" else None)
    plan = Plan((str(source),), target, output_format, options)
    found, columns, rows = table(plan)
    assert found == kind
    assert len(rows) > 1

    result = engine.run(plan, FakeClassifier(), Silent(), Stop())

    written_format, written_columns, written = table(replace(plan, inputs=(str(target),), target=tmp_path / "unused"))
    assert written_format == ("csv" if output_format == "tsv" else output_format)
    names = [column.name for column in columns]
    assert [column.name for column in written_columns] == names + ADDED
    types = [column.type for column in written_columns[: len(names)]]
    assert types == [type_in(output_format, column.type) for column in columns]
    assert [[told(value) for value in row.values[: len(names)]] for row in written] == [
        [told(value) for value in row.values] for row in rows
    ]
    text = names.index(result.names.text or "")
    for row, out in zip(rows, written, strict=True):
        label, error = out.values[len(names)], out.values[-1]
        if row.problem is None and row.text and row.text.strip():
            entry = entry_for(row.text)
            assert out.values[text] == row.text
            assert (label or None) == entry.get("label")
            assert bool(error) == ("error" in entry)
        else:
            assert not label
            assert error
