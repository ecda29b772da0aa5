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

from sluice.backfill.formats import columnar
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Roles
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.wording import refused, told

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
def read(tmp_path: Path, input_file: Any) -> Any:
    def read(table: pa.Table, write: Write = parquet, **options: Any) -> Any:
        path = tmp_path / "archive"
        write(table, path)
        return columnar.open_reader(input_file(path), ReadOptions(**options))

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


@pytest.mark.parametrize("write", [parquet, arrow_file, arrow_stream])
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.dictionary(pa.int8(), pa.binary())], ids=str)
def test_texts_that_are_typed_as_bytes_are_texts(read: Any, write: Write, kind: pa.DataType) -> None:
    values = ["été".encode(), None, b"\xff"]
    reader = read(pa.table({"raw": [b"\x00", b"", b""], "body": pa.array(values, pa.binary()).cast(kind)}), write)
    raw, body = reader.columns
    assert pa.types.is_binary(raw.type)
    assert pa.types.is_string(body.type) or pa.types.is_large_string(body.type)
    assert [row.text for row in reader.rows()] == ["été", None, "\udcff"]


def test_many_rows_come_in_order(read: Any) -> None:
    table = pa.table({"text": [f"text {number}" for number in range(10_000)]})
    reader = read(table, lambda table, path: pa.parquet.write_table(table, path))
    assert [row.text for row in reader.rows()] == table["text"].to_pylist()


def test_nanoseconds_are_cut_to_what_python_has(read: Any) -> None:
    table = pa.table({"text": ["a"], "at": pa.array([1_001], pa.timestamp("ns"))})
    (row,) = read(table).rows()
    assert row.values == ("a", datetime.datetime(1970, 1, 1, 0, 0, 0, 1))  # noqa: DTZ001 - it has no zone
    assert row.problem is None


@pytest.mark.parametrize("write", WRITERS)
def test_nanoseconds_within_values_are_cut_too_and_a_note_says_so(read: Any, write: Write) -> None:
    kind = pa.struct([("at", pa.list_(pa.timestamp("ns"))), ("n", pa.int8())])
    values = [{"at": [1_001, None], "n": 1}, None]
    table = pa.table({"text": ["a", "b"], "in": pa.array(values, kind), "on": pa.array([5_000, None], pa.time64("ns"))})
    reader = read(table, write)
    assert told(reader.notes) == []
    first, second = reader.rows()
    cut = {"at": [datetime.datetime(1970, 1, 1, 0, 0, 0, 1), None], "n": 1}  # noqa: DTZ001 - it has no zone
    assert (first.values, first.problem) == (("a", cut, datetime.time(0, 0, 0, 5)), None)
    assert second.values == ("b", None, None)
    assert told(reader.notes) == ["its nanoseconds are cut to microseconds, which changes values of 'in'"]


def test_types_of_extensions_within_values_are_what_they_are_stored_as(read: Any) -> None:
    ids = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, b"1" * 16], pa.binary(16)))
    table = pa.table({"text": ["a", "b"], "in": pa.StructArray.from_arrays([ids], ["id"])})
    reader = read(table, arrow_file)
    assert reader.columns[1].type == pa.struct([("id", pa.binary(16))])
    assert [row.values[1] for row in reader.rows()] == [{"id": b"0" * 16}, {"id": b"1" * 16}]


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
def test_offsets_that_lead_outside_are_refused(tmp_path: Path, input_file: Any, write: Write) -> None:
    write(pa.table({"text": ["a", "bc"]}), tmp_path / "whole")
    before, after = (b"".join(at.to_bytes(4, "little") for at in (0, 1, last)) for last in (3, 1_000_000))
    content = (tmp_path / "whole").read_bytes()
    assert content.count(before) == 1
    reader = columnar.open_reader(input_file(content.replace(before, after)), ReadOptions())
    with pytest.raises(UnreadableArchive, match="damaged"):
        list(reader.rows())


def test_the_text_column_must_hold_texts(read: Any) -> None:
    table = pa.table({"text": [1], "body": ["b"]})
    with pytest.raises(UnreadableArchive, match=r"'text' of .* holds int64, not text"):
        read(table)
    assert [row.text for row in read(table, text_column="body").rows()] == ["b"]
    with pytest.raises(UnreadableArchive, match="no column 'nothing'"):
        read(table, text_column="nothing")
    with refused(UnreadableArchive, "--text-column"):
        read(pa.table({"a": ["x"]}))


def test_columns_of_one_name_are_told_apart(read: Any) -> None:
    table = pa.Table.from_arrays([pa.array(["one"]), pa.array(["two"])], ["text", "text"])
    reader = read(table, arrow_file)
    assert [column.name for column in reader.columns] == ["text", "text_2"]
    assert [row.values for row in reader.rows()] == [("one", "two")]


@pytest.mark.parametrize("write", WRITERS)
def test_a_cut_off_file_is_an_error_that_names_it(tmp_path: Path, input_file: Any, write: Write) -> None:
    write(TABLE, tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    with pytest.raises(UnreadableArchive, match=r"archive.* damaged"):
        list(columnar.open_reader(input_file(content[: len(content) * 2 // 3]), ReadOptions()).rows())


def test_progress_is_told(tmp_path: Path, input_file: Any) -> None:
    parquet(TABLE, tmp_path / "archive")
    one = input_file(tmp_path / "archive")
    rows = columnar.open_reader(one, ReadOptions()).rows()
    next(rows)
    assert one.position < one.size
    assert len(list(rows)) == 2
    assert one.position == one.size


def test_what_lies_before_the_damage_is_read_and_then_the_problem(tmp_path: Path, input_file: Any) -> None:
    table = pa.table({"text": [f"tea at {number * number}" for number in range(3_000)]})
    with pa.ipc.new_stream(tmp_path / "stream", table.schema) as writer:
        writer.write_table(table, max_chunksize=1_000)
    pa.parquet.write_table(table, tmp_path / "parquet", row_group_size=1_000, compression="zstd")
    stream, packed = (tmp_path / "stream").read_bytes(), bytearray((tmp_path / "parquet").read_bytes())
    middle = len(packed) * 6 // 10
    packed[middle : middle + 500] = b"\x55" * 500
    for content in stream[: len(stream) * 9 // 10], bytes(packed):
        *rows, last = columnar.open_reader(input_file(content), ReadOptions()).rows()
        assert len(rows) in (1_000, 2_000)
        assert [row.text for row in rows] == table["text"].to_pylist()[: len(rows)]
        assert (last.values, last.text) == ([None], None)
        assert "damaged" in str(last.problem)


@pytest.mark.parametrize(("damaged", "checked"), [(1, False), (1, True), (0, False), (2, False)])
def test_damage_in_a_row_group_spares_the_others(tmp_path: Path, input_file: Any, damaged: int, checked: bool) -> None:
    table = pa.table({"text": [f"tea at {number * number}" for number in range(3_000)]})
    path = tmp_path / "parquet"
    pa.parquet.write_table(table, path, row_group_size=1_000, compression="none", write_page_checksum=checked)
    content = bytearray(path.read_bytes())
    column = pa.parquet.read_metadata(path).row_group(damaged).column(0)
    start, count = column.dictionary_page_offset, 1 if checked else 30
    start += 200 if checked else 0
    content[start : start + count] = bytes(byte ^ 0x5A for byte in content[start : start + count])
    rows = list(columnar.open_reader(input_file(bytes(content)), ReadOptions()).rows())
    problem = rows.pop(1_000 * damaged)
    texts = table["text"].to_pylist()
    assert [row.text for row in rows] == texts[: 1_000 * damaged] + texts[1_000 * (damaged + 1) :]
    assert (problem.values, problem.text) == ([None], None)
    assert str(problem.problem).endswith(f"missing are the rows {1_000 * damaged + 1:,} to {1_000 * (damaged + 1):,}")


def test_damage_in_a_batch_of_an_arrow_file_spares_the_others(tmp_path: Path, input_file: Any) -> None:
    table = pa.table({"text": [f"{number:04}" for number in range(300)]})
    with pa.ipc.new_file(tmp_path / "file", table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    offsets = (100 * 4).to_bytes(4, "little")  # the end of the last text of each batch
    content = (tmp_path / "file").read_bytes()
    second = content.index(offsets, content.index(b"0099"))
    content = content[:second] + (500).to_bytes(4, "little") + content[second + 4 :]
    rows = list(columnar.open_reader(input_file(content), ReadOptions()).rows())
    problem = rows.pop(100)
    assert [row.text for row in rows] == [*table["text"].to_pylist()[:100], *table["text"].to_pylist()[200:]]
    assert str(problem.problem).endswith("missing is batch 2 of 3")


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path, input_file: Any) -> None:
    arrow_file(pa.table({"text": ["a"], "named": ["b"]}), tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes().replace(b"named", b"na\xffed")
    with pytest.raises(UnreadableArchive, match=r"a name of a column is no UTF-8$"):
        columnar.open_reader(input_file(content), ReadOptions())


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
