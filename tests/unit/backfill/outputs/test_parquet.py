"""Parquet: types are kept, and what does not fit stops nothing."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.backfill.outputs import parquet
from sluice.backfill.table.columns import Column
from tests.unit.backfill.outputs.reading import read_back, written

UTC_US = pa.timestamp("us", "UTC")
STAGE = pa.struct([("name", pa.string()), ("seen", pa.list_(pa.int32()))])


def column(tmp_path: Path, kind: pa.DataType, values: list[Any]) -> tuple[pa.DataType, list[Any]]:
    path = tmp_path / "out.parquet"
    written("parquet", path, [Column("value", kind)], [[value] for value in values])
    table = pq.read_table(path)
    return table.schema.field("value").type, table.column("value").to_pylist()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.string(), "ü"),
        (pa.large_string(), "ü"),
        (pa.int8(), -128),
        (pa.uint64(), 2**64 - 1),
        (pa.float32(), 0.5),
        (pa.float64(), 0.1),
        (pa.bool_(), True),
        (pa.binary(), b"\x00\xff"),
        (pa.date32(), date(2024, 5, 1)),
        (pa.time64("us"), time(12, 30, 0, 1)),
        (pa.timestamp("us"), datetime.fromisoformat("2024-05-01T12:30:00.000001")),
        (UTC_US, datetime(2024, 5, 1, 12, 30, 0, 1, tzinfo=UTC)),
        (pa.duration("us"), timedelta(minutes=1.5)),
        (pa.decimal128(10, 2), Decimal("12.50")),
        (pa.list_(pa.string()), ["a", None]),
        (STAGE, {"name": "a", "seen": [1, 2]}),
        (pa.map_(pa.string(), pa.int64()), [("a", 1)]),
        (pa.uuid(), uuid.UUID(int=1)),
    ],
    ids=str,
)
def test_types_and_values_are_kept(tmp_path: Path, kind: pa.DataType, value: Any) -> None:
    found, values = column(tmp_path, kind, [value, None])
    assert found.equals(kind) or pa.types.is_map(kind)  # a map's inner names are Parquet's own
    assert values == [value, None]


@pytest.mark.parametrize(
    ("kind", "expected", "value", "found"),
    [
        (pa.null(), pa.string(), None, None),
        (pa.dictionary(pa.int32(), pa.string()), pa.string(), "a", "a"),
        (pa.list_(pa.dictionary(pa.int8(), pa.string())), pa.list_(pa.string()), ["a"], ["a"]),
        (pa.run_end_encoded(pa.int32(), pa.int64()), pa.int64(), 5, 5),
        (pa.string_view(), pa.string(), "a", "a"),
        (pa.list_view(pa.int64()), pa.list_(pa.int64()), [5], [5]),
        (pa.bool8(), pa.bool_(), True, True),
        (pa.struct([]), pa.string(), {}, "{}"),
        (pa.sparse_union([pa.field("a", pa.int64())]), pa.string(), 5, "5"),
        (pa.month_day_nano_interval(), pa.string(), pa.MonthDayNano([1, 2, 3]), "[1,2,3]"),
    ],
    ids=str,
)
def test_types_that_parquet_has_not_become_the_nearest(
    tmp_path: Path, kind: pa.DataType, expected: pa.DataType, value: Any, found: Any
) -> None:
    kept, values = column(tmp_path, kind, [value, None])
    assert kept.field(0).type == expected.field(0).type if pa.types.is_list(expected) else kept == expected
    assert values == [found, None]


def test_text_columns_take_what_is_no_text(tmp_path: Path) -> None:
    values = ["a", 5, True, {"b": [1]}, b"\xff", "half \ud83d", None]
    assert column(tmp_path, pa.string(), values)[1] == ["a", "5", "true", '{"b":[1]}', "/w==", "half \ufffd", None]


def test_a_value_that_does_not_fit_is_null_and_its_neighbours_stay(tmp_path: Path) -> None:
    assert column(tmp_path, pa.int64(), [1, 2**70, "x", 3])[1] == [1, None, None, 3]
    assert column(tmp_path, UTC_US, ["yesterday", datetime(2024, 5, 1, tzinfo=UTC)])[1] == [
        None,
        datetime(2024, 5, 1, tzinfo=UTC),
    ]
    assert column(tmp_path, pa.list_(pa.string()), [["half \ud83d"], [5]])[1] == [["half \ufffd"], None]


def test_row_groups_stay_small_whatever_the_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 100)
    path = tmp_path / "out.parquet"
    writer = parquet.ParquetWriter(path, [Column("n", pa.int64())], None)
    rows = [[n] for n in range(1_000)]
    for start in range(0, 1_000, 37):
        writer.write(rows[start : start + 37])
    writer.finish()
    writer.close()
    metadata = pq.ParquetFile(path).metadata
    groups = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert max(groups) <= 100
    assert len(groups) <= 15
    assert read_back("parquet", path)[1] == rows


def test_a_slice_longer_than_a_message_is_cut(tmp_path: Path) -> None:
    rows = [[str(n)] for n in range(2 * parquet.BATCH_ROWS + 1)]
    assert written("parquet", tmp_path / "out.parquet", [Column("n")], rows)[1] == rows
