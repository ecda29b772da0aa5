"""Parquet and Arrow IPC."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from backfill.columns import Roles
from backfill.formats import columnar
from backfill.formats.base import ReadOptions
from tasks.errors import UnreadableArchive

TABLE = pa.table(
    {
        "id": pa.array([1, 2, 3]),
        "sender": pa.array(["+447700900123", "PARCEL", "PARCEL"]).dictionary_encode(),
        "time": pa.array([1, 2_000_000, None], pa.timestamp("us", "UTC")),
        "text": pa.array(["tea?", None, "line\nbreak 😀"]),
        "tags": pa.array([["a"], [], None]),
        "who": pa.array([{"age": 1}, None, {"age": None}]),
        "raw": pa.array([b"\xff", None, b""]),
        "price": pa.array([Decimal("1.50"), None, None]),
    }
)


def parquet(table: pa.Table, path: Path) -> None:
    pa.parquet.write_table(table, path, row_group_size=2)


def arrow_file(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def arrow_stream(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def feather(table: pa.Table, path: Path) -> None:
    pa.feather.write_feather(table, str(path), compression="zstd")


WRITERS = [parquet, arrow_file, arrow_stream, feather]
Write = Callable[[pa.Table, Path], None]


@pytest.fixture
def read(tmp_path: Path, origin: Any) -> Any:
    def read(table: pa.Table, write: Write = parquet, **options: Any) -> Any:
        path = tmp_path / "archive"
        write(table, path)
        return columnar.open_reader(origin(path), ReadOptions(**options))

    return read


@pytest.mark.parametrize("write", WRITERS)
def test_rows_come_back_with_their_types(read: Any, write: Write) -> None:
    reader = read(TABLE, write)
    assert reader.roles == Roles("text", "sender", "time")
    plain = [pa.string() if kind == TABLE["sender"].type else kind for kind in TABLE.schema.types]
    assert [column.type for column in reader.columns] == plain
    assert [dict(zip(TABLE.column_names, row.values, strict=True)) for row in reader.rows()] == TABLE.to_pylist()
    assert [row.text for row in reader.rows()] == TABLE["text"].to_pylist()
    assert [row.problem for row in reader.rows()] == [None] * 3


@pytest.mark.parametrize("write", [parquet, arrow_file, arrow_stream])
@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())], ids=str)
def test_texts_of_every_string_type_are_read(read: Any, write: Write, kind: pa.DataType) -> None:
    table = pa.table({"body": pa.array(["one", None, "three"]).cast(kind)})
    assert [row.text for row in read(table, write).rows()] == ["one", None, "three"]


def test_many_rows_come_in_order(read: Any) -> None:
    table = pa.table({"text": [f"text {number}" for number in range(10_000)]})
    reader = read(table, lambda table, path: pa.parquet.write_table(table, path))
    assert [row.text for row in reader.rows()] == table["text"].to_pylist()


def test_nanoseconds_are_cut_to_what_python_has(read: Any) -> None:
    table = pa.table({"text": ["a"], "at": pa.array([1_001], pa.timestamp("ns"))})
    (row,) = read(table).rows()
    assert row.values == ("a", datetime.datetime(1970, 1, 1, 0, 0, 0, 1))  # noqa: DTZ001 - it has no zone
    assert row.problem is None


def test_a_value_that_python_does_not_have_is_a_problem_of_its_row(read: Any) -> None:
    table = pa.table({"text": ["a", "b"], "at": pa.array([2**55, 0], pa.timestamp("s"))})
    first, second = read(table, arrow_file).rows()
    assert (first.text, first.values[1]) == (None, None)
    assert first.problem == "the value of the column at is none that Python has"
    assert (second.text, second.problem) == ("b", None)


def test_bytes_that_are_no_utf8_survive(read: Any) -> None:
    offsets = pa.py_buffer(b"".join(at.to_bytes(4, "little") for at in (0, 1, 3)))
    texts = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"a\xff\xfe")])
    rows = list(read(pa.table({"text": texts}), arrow_stream).rows())
    assert [row.text for row in rows] == ["a", "\udcff\udcfe"]


@pytest.mark.parametrize("write", [arrow_file, arrow_stream])
def test_offsets_that_lead_outside_are_refused(tmp_path: Path, origin: Any, write: Write) -> None:
    write(pa.table({"text": ["a", "bc"]}), tmp_path / "whole")
    offsets = [b"".join(at.to_bytes(4, "little") for at in (0, 1, last)) for last in (3, 1_000_000)]
    content = (tmp_path / "whole").read_bytes()
    assert content.count(offsets[0]) == 1
    reader = columnar.open_reader(origin(content.replace(*offsets)), ReadOptions())
    with pytest.raises(UnreadableArchive, match="damaged"):
        list(reader.rows())


def test_the_text_column_must_hold_texts(read: Any) -> None:
    table = pa.table({"text": [1], "body": ["b"]})
    with pytest.raises(UnreadableArchive, match=r"'text' of .* holds int64, not text"):
        read(table)
    assert [row.text for row in read(table, text_column="body").rows()] == ["b"]
    with pytest.raises(UnreadableArchive, match="no column 'nothing'"):
        read(table, text_column="nothing")
    with pytest.raises(UnreadableArchive, match="--text-column"):
        read(pa.table({"a": ["x"]}))


def test_columns_of_one_name_are_told_apart(read: Any) -> None:
    table = pa.Table.from_arrays([pa.array(["one"]), pa.array(["two"])], ["text", "text"])
    reader = read(table, arrow_file)
    assert [column.name for column in reader.columns] == ["text", "text_2"]
    assert [row.values for row in reader.rows()] == [("one", "two")]


@pytest.mark.parametrize("write", WRITERS)
def test_a_cut_off_file_is_an_error_that_names_it(tmp_path: Path, origin: Any, write: Write) -> None:
    write(TABLE, tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    with pytest.raises(UnreadableArchive, match=r"archive.* damaged"):
        list(columnar.open_reader(origin(content[: len(content) * 2 // 3]), ReadOptions()).rows())


def test_progress_is_told(tmp_path: Path, origin: Any) -> None:
    parquet(TABLE, tmp_path / "archive")
    one = origin(tmp_path / "archive")
    rows = columnar.open_reader(one, ReadOptions()).rows()
    next(rows)
    assert one.position < one.size
    assert len(list(rows)) == 2
    assert one.position == one.size


def test_what_lies_before_the_damage_is_read_and_then_the_problem(tmp_path: Path, origin: Any) -> None:
    table = pa.table({"text": [f"tea at {number * number}" for number in range(3_000)]})
    with pa.ipc.new_stream(tmp_path / "stream", table.schema) as writer:
        writer.write_table(table, max_chunksize=1_000)
    pa.parquet.write_table(table, tmp_path / "parquet", row_group_size=1_000, compression="zstd")
    stream, packed = (tmp_path / "stream").read_bytes(), bytearray((tmp_path / "parquet").read_bytes())
    middle = len(packed) * 6 // 10
    packed[middle : middle + 500] = b"\x55" * 500
    for content in stream[: len(stream) * 9 // 10], bytes(packed):
        *rows, last = columnar.open_reader(origin(content), ReadOptions()).rows()
        assert len(rows) in (1_000, 2_000)
        assert [row.text for row in rows] == table["text"].to_pylist()[: len(rows)]
        assert (last.values, last.text) == ([None], None)
        assert "damaged" in str(last.problem)


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path, origin: Any) -> None:
    arrow_file(pa.table({"text": ["a"], "named": ["b"]}), tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes().replace(b"named", b"na\xffed")
    with pytest.raises(UnreadableArchive, match=r"a name of a column is no UTF-8$"):
        columnar.open_reader(origin(content), ReadOptions())


def test_a_dictionary_of_long_texts_is_decoded_few_rows_at_a_time(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    plain = columnar.plain

    def noted(array: pa.Array) -> pa.Array:
        sizes.append(len(array))
        return plain(array)

    monkeypatch.setattr(columnar, "plain", noted)
    monkeypatch.setattr(columnar, "SLICE_BYTES", 10_000)
    texts = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 50, pa.int8()), ["x" * 1_000, "short"])
    assert [row.text for row in read(pa.table({"text": texts}), feather).rows()] == ["x" * 1_000, "short"] * 50
    assert sizes == [10] * 10
