"""Our own SQLite output as an input."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from backfill.columns import Column, Roles
from backfill.formats import sqlite
from backfill.formats.base import ReadOptions
from backfill.outputs.opening import open_writer
from tasks.errors import UnreadableArchive


@pytest.fixture
def make(tmp_path: Path, origin: Any) -> Any:
    def make(script: str) -> Any:
        path = tmp_path / "out.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
        return origin(path)

    return make


def test_what_the_writer_wrote_comes_back(tmp_path: Path, origin: Any) -> None:
    columns = [
        Column("id", pa.int64()),
        Column("sender"),
        Column("text"),
        Column("score", pa.float64()),
        Column("raw", pa.binary()),
    ]
    rows = [
        [1, "+447700900123", "tea?", 0.5, b"\xff"],
        [2, None, 'a "quoted" one', None, None],
        [3, "P", None, 1.0, b""],
    ]
    writer = open_writer("sqlite", tmp_path / "out.sqlite", columns, None)
    writer.write(rows)
    writer.finish()
    writer.close()
    reader = sqlite.open_reader(origin(tmp_path / "out.sqlite"), ReadOptions())
    assert list(reader.columns) == columns
    assert reader.roles == Roles("text", "sender", None)
    assert [list(row.values) for row in reader.rows()] == rows
    assert [(row.text, row.problem) for row in reader.rows()] == [(row[2], None) for row in rows]
    reader.close()


def test_a_column_with_values_of_several_kinds_is_text(make: Any) -> None:
    database = make("""
        CREATE TABLE messages (text TEXT, n INTEGER, m INTEGER);
        INSERT INTO messages VALUES ('a', 1, 2), ('b', 'many', 3);
    """)
    reader = sqlite.open_reader(database, ReadOptions())
    assert [column.type for column in reader.columns] == [pa.string(), pa.string(), pa.int64()]
    assert [list(row.values) for row in reader.rows()] == [["a", "1", 2], ["b", "many", 3]]
    reader.close()


def test_an_empty_table_has_no_rows(make: Any) -> None:
    reader = sqlite.open_reader(make("CREATE TABLE messages (text TEXT, n INTEGER)"), ReadOptions())
    assert list(reader.rows()) == []
    reader.close()


def test_other_databases_are_refused_with_their_tables(make: Any) -> None:
    with pytest.raises(UnreadableArchive, match="its tables are calls, contacts"):
        sqlite.open_reader(make("CREATE TABLE calls (a); CREATE TABLE contacts (b);"), ReadOptions())


def test_a_table_without_a_column_of_texts_is_refused(make: Any) -> None:
    with pytest.raises(UnreadableArchive, match="--text-column"):
        sqlite.open_reader(make("CREATE TABLE messages (a TEXT, b TEXT)"), ReadOptions())
