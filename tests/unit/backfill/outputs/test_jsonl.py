"""JSON lines: values keep their types as far as JSON has them, and none stops the run."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from sluice.backfill.table.columns import Column
from sluice.backfill.table.values import TOO_DEEP
from tests.unit.backfill.outputs.reading import written

COLUMNS = [Column("id"), Column("value")]


def value_of(tmp_path: Path, value: Any) -> Any:
    names, rows = written("jsonl", tmp_path / "out.jsonl", COLUMNS, [["1", value]])
    assert names == ["id", "value"]
    return rows[0][1]


@pytest.mark.parametrize("value", [None, "", "ü\n\0", True, -7, 2**63, 0.25, [1, [2]], {"a": {"b": None}}])
def test_what_json_has_is_kept(tmp_path: Path, value: Any) -> None:
    found = value_of(tmp_path, value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (float("nan"), None),
        (float("-inf"), None),
        (Decimal("12.50"), "12.50"),
        (datetime(2024, 5, 1, 12, 30, tzinfo=UTC), "2024-05-01T12:30:00+00:00"),
        (time(12, 30, tzinfo=timezone(timedelta(hours=7))), "12:30:00+07:00"),
        (timedelta(minutes=1.5), 90.0),
        (b"\x00\xff", "AP8="),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([("key", 1)], [["key", 1]]),
        ({1: "a", None: "b"}, {"1": "a", "None": "b"}),
        ("half \ud83d, caf\udce9", "half \ufffd, caf\ufffd"),
        ({"\ud83d": ["\udce9", float("inf"), 2**64, b"\x00"]}, {"\ufffd": ["\ufffd", None, str(2**64), "AA=="]}),
    ],
)
def test_what_json_has_not_is_turned(tmp_path: Path, value: Any, expected: Any) -> None:
    assert value_of(tmp_path, value) == expected


def test_a_value_that_is_nested_too_deeply_ends_there(tmp_path: Path) -> None:
    deep: Any = "bottom"
    for _ in range(1_000):
        deep = [deep]
    found, levels = value_of(tmp_path, deep), 0
    while isinstance(found, list):
        (found,) = found
        levels += 1
    assert found == TOO_DEEP
    assert 150 < levels < 250


def test_every_row_has_every_column_in_order_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    written("jsonl", path, COLUMNS, [["1", None], [None, "two\nlines"]])
    assert path.read_bytes() == b'{"id":"1","value":null}\n{"id":null,"value":"two\\nlines"}\n'
