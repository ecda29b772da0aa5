"""One type for a column of several inputs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.table.columns import TEXT
from sluice.backfill.table.widening import wider
from tests.unit.backfill.inputs.reading import opened
from tests.unit.backfill.wording import told

NOON = datetime(2026, 4, 1, 12)  # noqa: DTZ001 - a time without a zone

ROWS: list[tuple[pa.DataType, Any, pa.DataType, Any, pa.DataType, list[Any]]] = [
    (pa.int32(), 1, pa.int64(), 2**40, pa.int64(), [1, 2**40]),
    (pa.int8(), -1, pa.uint8(), 255, pa.int16(), [-1, 255]),
    (pa.uint32(), 2**32 - 1, pa.int64(), -1, pa.int64(), [2**32 - 1, -1]),
    (pa.int64(), -1, pa.uint64(), 2**64 - 1, pa.decimal128(20, 0), [Decimal(-1), Decimal(2**64 - 1)]),
    (pa.int16(), 7, pa.float32(), 2.5, pa.float64(), [7.0, 2.5]),
    (pa.float32(), 0.5, pa.float64(), 0.1, pa.float64(), [0.5, 0.1]),
    (pa.int64(), 2**60 + 1, pa.float64(), 0.1, TEXT, [str(2**60 + 1), "0.1"]),
    (pa.decimal128(5, 1), Decimal("1.5"), pa.int32(), 7, pa.decimal128(11, 1), [Decimal("1.5"), Decimal("7.0")]),
    (
        pa.decimal128(5, 1), Decimal("1.5"), pa.decimal128(6, 4), Decimal("1.2345"),
        pa.decimal128(8, 4), [Decimal("1.5000"), Decimal("1.2345")],
    ),
    (pa.timestamp("s"), NOON, pa.timestamp("us"), NOON, pa.timestamp("us"), [NOON, NOON]),
    (pa.timestamp("ms"), NOON, pa.timestamp("ns"), NOON, pa.timestamp("us"), [NOON, NOON]),
    (
        pa.timestamp("us"), NOON, pa.timestamp("us", "Europe/Berlin"), NOON.replace(hour=10, tzinfo=UTC),
        pa.timestamp("us", "UTC"), [NOON.replace(tzinfo=UTC), NOON.replace(hour=10, tzinfo=UTC)],
    ),
    (pa.date32(), NOON.date(), pa.timestamp("ms"), NOON, pa.timestamp("ms"), [NOON.replace(hour=0), NOON]),
    (pa.date32(), NOON.date(), pa.date64(), NOON.date(), pa.date32(), [NOON.date(), NOON.date()]),
    (pa.null(), None, pa.int16(), 5, pa.int16(), [None, 5]),
    (pa.dictionary(pa.int8(), pa.string()), "a", pa.large_string(), "b", TEXT, ["a", "b"]),
    (pa.dictionary(pa.int8(), pa.int32()), 1, pa.int64(), 2**40, pa.int64(), [1, 2**40]),
    (pa.list_(pa.int32()), [1], pa.list_(pa.int64()), [2**40], pa.list_(pa.int64()), [[1], [2**40]]),
    (pa.bool_(), True, pa.int8(), 1, TEXT, ["true", "1"]),
    (pa.binary(), b"a", pa.binary(2), b"bc", pa.binary(), [b"a", b"bc"]),
]  # fmt: skip


@pytest.mark.parametrize(("one", "first", "other", "second", "kind", "values"), ROWS)
@pytest.mark.parametrize("turned", [False, True])
def test_a_column_of_two_types_has_the_wider_one_and_every_value(
    tmp_path: Path,
    one: pa.DataType,
    first: Any,
    other: pa.DataType,
    second: Any,
    kind: pa.DataType,
    values: list[Any],
    turned: bool,
) -> None:
    paths = []
    for name, held, value in (("a", one, first), ("b", other, second)):
        paths.append(tmp_path / f"{name}.parquet")
        column = pa.array([value], held.value_type).dictionary_encode() if isinstance(held, pa.DictionaryType) else None
        pq.write_table(
            pa.table({"text": ["x"], "x": column if column is not None else pa.array([value], held)}), paths[-1]
        )
    if turned:
        paths.reverse()
    out = tmp_path / "out.parquet"
    with opened(tmp_path, *paths) as source:
        assert source.columns[1].type == kind
        writer = open_writer("parquet", out, source.columns, None)
        writer.write([row.values for row in source.rows()])
        writer.finish()
        writer.close()
    found = pq.read_table(out).column("x")
    assert found.to_pylist() == (values[::-1] if turned else values)


def test_times_that_get_a_zone_are_noted(tmp_path: Path) -> None:
    for name, zone in (("a", None), ("b", "UTC")):
        when = pa.array([NOON], pa.timestamp("us", zone))
        pq.write_table(pa.table({"text": ["x"], "when": when}), tmp_path / f"{name}.parquet")
    with opened(tmp_path, tmp_path / "a.parquet", tmp_path / "b.parquet") as source:
        assert told(source.notes) == ["times without a zone are read as UTC, for other inputs have zones: 'when'"]


def test_a_table_without_types_makes_a_column_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x"], "id": [7], "day": [date(2026, 4, 1)]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("text,id,day\ny,007,1.4.2026\n")
    with opened(tmp_path, tmp_path / "a.parquet", tmp_path / "b.csv") as source:
        assert [column.type for column in source.columns] == [TEXT] * 3
        assert [row.values[1] for row in source.rows()] == [7, "007"]


def test_order_does_not_matter() -> None:
    kinds = [kind for row in ROWS for kind in (row[0], row[2]) if not isinstance(kind, pa.DictionaryType)]
    assert all(wider(one, other) == wider(other, one) for one in kinds for other in kinds)
