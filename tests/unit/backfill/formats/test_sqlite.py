"""Our own SQLite output as an input."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sluice.backfill.formats import database, sqlite
from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.run.stop import Stop, Stopped
from sluice.backfill.source import open_source
from sluice.backfill.table.columns import Column, Roles
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import plan, read
from tests.unit.backfill.wording import refused


@pytest.fixture
def make(tmp_path: Path, input_file: Any) -> Any:
    def make(script: str) -> Any:
        path = tmp_path / "out.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
        return input_file(path)

    return make


def test_what_the_writer_wrote_comes_back(tmp_path: Path, input_file: Any) -> None:
    columns = [
        Column("id", pa.int64()),
        Column("sender"),
        Column("text"),
        Column("score", pa.float64()),
        Column("raw", pa.binary()),
    ]
    rows: list[list[object]] = [
        [1, "+447700900123", "tea?", 0.5, b"\xff"],
        [2, None, 'a "quoted" one', None, None],
        [3, "P", None, 1.0, b""],
    ]
    writer = open_writer("sqlite", tmp_path / "out.sqlite", columns, None)
    writer.write(rows)
    writer.finish()
    writer.close()
    reader = sqlite.open_reader(input_file(tmp_path / "out.sqlite"), ReadOptions())
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
    with pytest.raises(UnreadableArchive, match="its tables are 'calls', 'contacts'"):
        sqlite.open_reader(make("CREATE TABLE calls (a); CREATE TABLE contacts (b);"), ReadOptions())


def test_a_table_without_a_column_of_texts_is_refused(make: Any) -> None:
    with refused(UnreadableArchive, "--text-column"):
        sqlite.open_reader(make("CREATE TABLE messages (a TEXT, b TEXT)"), ReadOptions())


def test_a_column_may_be_called_like_the_number_of_a_row(make: Any) -> None:
    reader = sqlite.open_reader(
        make("CREATE TABLE messages (rowid TEXT, text TEXT); INSERT INTO messages VALUES ('b', 'tea'), ('a', 'milk')"),
        ReadOptions(),
    )
    assert [list(row.values) for row in reader.rows()] == [["b", "tea"], ["a", "milk"]]
    reader.close()


def test_a_table_without_row_numbers_is_refused(make: Any) -> None:
    with pytest.raises(UnreadableArchive, match="no such column"):
        sqlite.open_reader(make("CREATE TABLE messages (text TEXT PRIMARY KEY) WITHOUT ROWID"), ReadOptions())


MANY = """
    CREATE TABLE messages (text TEXT, n INTEGER);
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)
    INSERT INTO messages SELECT 'tea at four, or at five? ' || n, n FROM numbers;
"""


def test_pages_that_lead_back_to_the_first_one_do_not_keep_it_for_ever(make: Any, tmp_path: Path) -> None:
    make(MANY)
    path = tmp_path / "out.sqlite"
    content = bytearray(path.read_bytes())
    root = 4096  # of the table: a page of branches, whose last one follows its header, and the others lie in cells
    assert content[root] == 5
    cell = root + int.from_bytes(content[root + 12 : root + 14])
    content[root + 8 : root + 12] = content[cell : cell + 4]
    path.write_bytes(content)
    texts = [row.text for row in read(tmp_path, path)]
    assert 1_000 < len(texts) <= 5_001


def test_what_lies_before_a_damaged_page_is_read_and_then_the_problem(make: Any, tmp_path: Path) -> None:
    make(MANY)
    path = tmp_path / "out.sqlite"
    content = bytearray(path.read_bytes())
    half = len(content) // 8192 * 4096
    content[half : half + 4096] = b"\xaa" * 4096
    path.write_bytes(content)
    *rows, last = read(tmp_path, path)
    assert len(rows) > 1_000
    assert [row.text for row in rows] == [f"tea at four, or at five? {number + 1}" for number in range(len(rows))]
    assert last.text is None
    assert "malformed" in str(last.problem)


def test_a_value_beyond_the_limit_is_one_row_with_a_problem(make: Any) -> None:
    reader = sqlite.open_reader(
        make("""
            CREATE TABLE messages (text TEXT, raw BLOB);
            INSERT INTO messages VALUES ('one', NULL), ('two', zeroblob(9000000)), ('three', NULL);
        """),
        ReadOptions(),
    )
    assert [(row.text, row.problem) for row in reader.rows()] == [
        ("one", None),
        (None, "a value is longer than 8,000,000 bytes"),
        ("three", None),
    ]
    reader.close()


def test_a_stop_ends_a_question_that_takes_long(tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make("CREATE TABLE messages (text TEXT); INSERT INTO messages VALUES ('tea')")
    monkeypatch.setattr(database, "LOOK_EVERY", 1)
    stop = Stop()
    with open_source(plan(tmp_path, tmp_path / "out.sqlite"), stop) as source:
        stop._ask(signal.SIGINT, None)
        with pytest.raises(Stopped):
            list(source.rows())
