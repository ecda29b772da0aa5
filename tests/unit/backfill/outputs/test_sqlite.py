"""SQLite: declared types, values, names, and one file in the end."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.outputs.sqlite import distinct
from sluice.backfill.table.columns import Column
from sluice.tasks.errors import UnwritableOutput
from tests.unit.backfill.outputs.reading import read_back, written

COLUMNS = [
    Column("text"),
    Column("count", pa.int64()),
    Column("flag", pa.bool_()),
    Column("large", pa.uint64()),
    Column("share", pa.float64()),
    Column("blob", pa.binary()),
    Column("at", pa.timestamp("us", "UTC")),
    Column("price", pa.decimal128(10, 2)),
    Column("parts", pa.list_(pa.string())),
    Column("nothing", pa.null()),
    Column("coded", pa.dictionary(pa.int32(), pa.int64())),
]


def one(tmp_path: Path, kind: pa.DataType, value: Any) -> Any:
    return written("sqlite", tmp_path / "out.db", [Column("value", kind)], [[value]])[1][0][0]


def test_columns_have_the_types_that_sqlite_knows(tmp_path: Path) -> None:
    path = tmp_path / "out.db"
    written("sqlite", path, COLUMNS, [])
    with closing(sqlite3.connect(path)) as db:
        declared = {name: kind for _, name, kind, *_ in db.execute("PRAGMA table_info(messages)")}
    assert declared == {
        "text": "TEXT",
        "count": "INTEGER",
        "flag": "INTEGER",
        "large": "",
        "share": "REAL",
        "blob": "BLOB",
        "at": "TEXT",
        "price": "TEXT",
        "parts": "TEXT",
        "nothing": "TEXT",
        "coded": "INTEGER",
    }


def test_values_are_kept_as_far_as_sqlite_has_them(tmp_path: Path) -> None:
    at = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
    row = ["ü\0x", -5, True, 2**63, 0.1, b"\x00\xff", at, Decimal("12.50"), ["a", None], None, 7]
    _, rows = written("sqlite", tmp_path / "out.db", COLUMNS, [row, [None] * len(row)])
    assert rows[0] == [
        "ü\0x",
        -5,
        1,
        "9223372036854775808",
        0.1,
        b"\x00\xff",
        "2024-05-01T12:30:00+00:00",
        "12.50",
        '["a",null]',
        None,
        7,
    ]
    assert rows[1] == [None] * len(row)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (pa.string(), True, "true"),
        (pa.string(), 0.1, "0.1"),
        (pa.string(), 2**70, "1180591620717411303424"),
        (pa.string(), {"a": 1}, '{"a":1}'),
        (pa.string(), "007", "007"),
        (pa.string(), "half \ud83d, caf\udce9", "half \ufffd, caf\ufffd"),
        (pa.uint64(), 2**63 - 1, 2**63 - 1),
        (pa.float64(), float("nan"), None),
        (pa.float64(), float("inf"), float("inf")),
        (pa.int64(), "not a number", "not a number"),
        (pa.binary(), "text", "text"),
        (pa.duration("us"), timedelta(minutes=1.5), 90.0),
    ],
)
def test_a_value_of_another_type_is_kept_too(tmp_path: Path, kind: pa.DataType, value: Any, expected: Any) -> None:
    found = one(tmp_path, kind, value)
    assert found == expected
    assert type(found) is type(expected)


def test_a_surrogate_in_a_slice_neither_loses_nor_repeats_its_neighbours(tmp_path: Path) -> None:
    columns = [Column("n", pa.int64()), Column("text")]
    rows = [[1, "a"], [2, "half \ud83d"], [3, "c"]]
    assert written("sqlite", tmp_path / "out.db", columns, rows)[1] == [[1, "a"], [2, "half \ufffd"], [3, "c"]]


def test_names_that_sqlite_takes_for_the_same_are_told_apart(tmp_path: Path) -> None:
    columns = [Column(name) for name in ("Text", "text", "TEXT_2", 'a "b"', "rowid", "oid", "_rowid_", "x\0\ud800")]
    names, rows = written("sqlite", tmp_path / "out.db", columns, [list("abcdefgh")])
    assert names == ["Text", "text_2", "TEXT_2_2", 'a "b"', "rowid", "oid", "_rowid__2", "x\ufffd\ufffd"]
    assert rows == [list("abcdefgh")]


def test_distinct_names_stay_as_they_are() -> None:
    assert distinct(["id", "text", "Ä", "ä"]) == ["id", "text", "Ä", "ä_2"]


def test_a_transaction_that_was_half_on_disk_when_the_process_died_is_taken_back(tmp_path: Path) -> None:
    alive, dead = tmp_path / "alive", tmp_path / "dead"
    alive.mkdir()
    writer = open_writer("sqlite", alive / "out.db", COLUMNS[:1], None)
    writer.write([["kept"]])
    state = writer.commit()
    writer.write([["x" * 1_000]] * 10_000)  # more than SQLite keeps in memory
    shutil.copytree(alive, dead)
    writer.close()
    assert sorted(path.name for path in dead.iterdir()) == ["out.db", "out.db-journal"]
    assert (dead / "out.db").stat().st_size > 1_000_000

    writer = open_writer("sqlite", dead / "out.db", COLUMNS[:1], state)
    writer.write([["after"]])
    writer.finish()
    writer.close()
    assert read_back("sqlite", dead / "out.db")[1] == [["kept"], ["after"]]
    assert [path.name for path in dead.iterdir()] == ["out.db"]


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    written("sqlite", tmp_path / "out.db", COLUMNS[:1], [["a"]])
    assert [path.name for path in tmp_path.iterdir()] == ["out.db"]


def test_more_columns_than_sqlite_holds_are_refused_with_the_limit(tmp_path: Path) -> None:
    most = [Column(f"c{n}") for n in range(2_000)]
    assert written("sqlite", tmp_path / "out.db", most, [["x"] * 2_000])[1] == [["x"] * 2_000]
    with pytest.raises(UnwritableOutput, match="at most 2000 columns, not 2001"):
        open_writer("sqlite", tmp_path / "more.db", [*most, Column("one more")], None)
