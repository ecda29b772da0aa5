"""An output comes back as it was written, in every format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.outputs.table import FORMATS
from sluice.backfill.report.names import ReportNames
from sluice.backfill.report.read import BATCH_CHARS, BATCH_ROWS, batches
from sluice.backfill.table.columns import Column
from sluice.tasks.errors import UnreadableArchive

NAMES = ReportNames("body", "from", "at", "label", "probability", "error")
COLUMNS = [*map(Column, ("id", "at", "from", "body", "label")), Column("probability", pa.float64()), Column("error")]
ROWS: list[list[Any]] = [
    ["1", "2026-11-05", "ONE", 'a "b",\tc\nd', "ham", 0.987654, None],
    ["2", None, None, "สวัสดี", "spam", 0.5, None],
    ["3", "x", "+447700900123", None, None, None, "invalid_input: the text is empty or blank"],
]


def written(folder: Path, output_format: str, rows: list[list[Any]], columns: list[Column] = COLUMNS) -> Path:
    target = folder / f"out{FORMATS[output_format].suffixes[0]}"
    writer = open_writer(output_format, target, columns, None)
    writer.write(rows)
    writer.finish()
    writer.close()
    return target


def read(target: Path, output_format: str, names: ReportNames = NAMES) -> list[tuple[Any, ...]]:
    rows = []
    for batch in batches(target, output_format, names):
        columns = (batch.time, batch.sender, batch.text, batch.label, batch.probability, batch.error)
        rows += list(zip(*(column.to_pylist() for column in columns if column is not None), strict=True))
    return rows


@pytest.mark.parametrize("output_format", FORMATS)
def test_rows_come_back_in_order(tmp_path: Path, output_format: str) -> None:
    assert read(written(tmp_path, output_format, ROWS), output_format) == [tuple(row[1:]) for row in ROWS]


@pytest.mark.parametrize("output_format", FORMATS)
def test_columns_that_an_archive_lacks_are_left_out(tmp_path: Path, output_format: str) -> None:
    target = written(tmp_path, output_format, ROWS)
    names = ReportNames(None, None, None, "label", "probability", "error")
    assert read(target, output_format, names) == [tuple(row[4:]) for row in ROWS]


@pytest.mark.parametrize("output_format", FORMATS)
def test_inputs_may_have_their_values_in_different_columns(tmp_path: Path, output_format: str) -> None:
    columns = [*map(Column, ("body", "from", "at", "label")), Column("probability", pa.float64()), Column("error")]
    columns += [Column("text"), Column("sender"), Column("sent", pa.int64())]
    target = tmp_path / "out"
    writer = open_writer(output_format, target, columns, None)
    writer.write(
        [
            ("one", "A", "2026-01-01", "ham", 0.5, None, None, None, None),
            (None, None, None, "spam", 0.75, None, "two", "B", 1_767_225_600),
        ]
    )
    writer.finish()
    writer.close()
    elsewhere = {"text": ["text"], "sender": ["sender"], "time": ["sent"]}
    names = ReportNames("body", "from", "at", "label", "probability", "error", elsewhere)
    assert read(target, output_format, names) == [
        ("2026-01-01", "A", "one", "ham", 0.5, None),
        ("1767225600", "B", "two", "spam", 0.75, None),
    ]


@pytest.mark.parametrize("output_format", FORMATS)
def test_an_output_without_rows_has_no_batches(tmp_path: Path, output_format: str) -> None:
    assert read(written(tmp_path, output_format, []), output_format) == []


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_column_that_is_not_there_is_an_error_that_names_it(tmp_path: Path, output_format: str) -> None:
    target = written(tmp_path, output_format, ROWS)
    with pytest.raises(UnreadableArchive, match="no column 'body_2'"):
        read(target, output_format, ReportNames("body_2", None, None, "label", "probability", "error"))


@pytest.mark.parametrize("output_format", FORMATS)
def test_an_output_that_is_gone_or_broken_is_an_error_without_its_content(tmp_path: Path, output_format: str) -> None:
    target = tmp_path / "out"
    with pytest.raises(UnreadableArchive, match=r"out: .* \((No such file or directory|OperationalError)\)"):
        read(target, output_format)
    target.write_bytes(b"xyzzy-secret-marker" * 9)
    with pytest.raises(UnreadableArchive) as caught:
        read(target, output_format)
    assert "xyzzy" not in str(caught.value)


def test_bytes_that_are_no_utf_8_do_no_harm(tmp_path: Path) -> None:
    rows = [["1", "2026-11-05", "A\udcff", "caf\udce9", "ham", 0.9, None]]
    assert read(written(tmp_path, "csv", rows), "csv")[0][1:3] == (
        "A\N{REPLACEMENT CHARACTER}",
        "caf\N{REPLACEMENT CHARACTER}",
    )


def test_values_with_types_become_strings_but_for_times(tmp_path: Path) -> None:
    columns = [Column("from", pa.int64()), Column("at", pa.timestamp("ms")), *COLUMNS[3:]]
    table = pa.table(
        {"from": [447700900123], "at": pa.array([1_794_000_000_000], pa.timestamp("ms")), "body": ["x"]}
    ).to_pylist()[0]
    rows = [[table["from"], table["at"], "x", "ham", 0.9, None]]
    (batch,) = batches(written(tmp_path, "parquet", rows, columns), "parquet", NAMES)
    assert batch.sender is not None
    assert batch.time is not None
    assert batch.sender.to_pylist() == ["447700900123"]
    assert batch.time.type == pa.timestamp("ms")
    (sqlite,) = batches(written(tmp_path, "sqlite", rows, columns), "sqlite", NAMES)
    assert sqlite.sender is not None
    assert sqlite.sender.to_pylist() == ["447700900123"]


def test_batches_are_bounded_in_rows_and_in_characters(tmp_path: Path) -> None:
    many = [[str(at), None, None, "x", "ham", 0.9, None] for at in range(BATCH_ROWS + 1)]
    assert [len(batch) for batch in batches(written(tmp_path, "csv", many), "csv", NAMES)] == [BATCH_ROWS, 1]
    long = [["1", None, None, "x" * (BATCH_CHARS // 2), "ham", 0.9, None]] * 5
    assert [len(batch) for batch in batches(written(tmp_path, "jsonl", long), "jsonl", NAMES)] == [2, 2, 1]


@pytest.mark.parametrize("output_format", FORMATS)
def test_one_column_may_have_two_roles(tmp_path: Path, output_format: str) -> None:
    target = written(tmp_path, output_format, ROWS)
    (batch,) = batches(target, output_format, ReportNames("body", "body", None, "label", "probability", "error"))
    assert batch.sender == batch.text
