"""CSV and TSV: what each type of value looks like, and that a reader finds what was written."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.outputs.delimited import DelimitedWriter
from sluice.backfill.table.columns import Column
from tests.unit.backfill.outputs.reading import written

TEXT = [Column("id"), Column("text")]


def cell(tmp_path: Path, value: Any) -> str:
    _, rows = written("csv", tmp_path / "out.csv", TEXT, [["1", value]])
    return rows[0][1]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        ("", ""),
        (True, "true"),
        (7, "7"),
        (2**70, "1180591620717411303424"),
        (0.1, "0.1"),
        (1e-7, "1e-07"),
        (float("nan"), "nan"),
        (Decimal("12.50"), "12.50"),
        (datetime(2024, 5, 1, 12, 30, tzinfo=UTC), "2024-05-01T12:30:00+00:00"),
        (datetime.fromisoformat("2024-05-01T12:30:00.25"), "2024-05-01T12:30:00.250000"),
        (date(2024, 5, 1), "2024-05-01"),
        (timedelta(minutes=1.5), "90.0"),
        (b"\x00\xff", "AP8="),
        ({"a": [1, None, "ü"]}, '{"a":[1,null,"ü"]}'),
        ([("key", 1)], '[["key",1]]'),
    ],
)
def test_every_type_has_a_text(tmp_path: Path, value: Any, expected: str) -> None:
    assert cell(tmp_path, value) == expected


def test_quotes_only_where_they_are_needed_and_plain_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    written("csv", path, TEXT, [["1", "plain"], ["2", 'a "b",\nc'], ["3", "a\rb"]])
    assert path.read_bytes() == b'id,text\n1,plain\n2,"a ""b"",\nc"\n3,"a\rb"\n'


def test_tabs_separate_in_tsv(tmp_path: Path) -> None:
    path = tmp_path / "out.tsv"
    written("tsv", path, TEXT, [["1", "a,b"], ["2", "a\tb"]])
    assert path.read_bytes() == b'id\ttext\n1\ta,b\n2\t"a\tb"\n'


def test_bytes_that_are_not_utf_8_come_out_as_they_went_in(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    written("csv", path, TEXT, [["1", b"caf\xe9 \xf0\x9f\x98".decode("utf-8", "surrogateescape")]])
    assert path.read_bytes() == b"id,text\n1,caf\xe9 \xf0\x9f\x98\n"


def test_a_surrogate_that_stands_for_no_byte_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    written("csv", path, TEXT, [["1", "half \ud83d, caf\udce9"]])
    assert path.read_bytes() == b'id,text\n1,"half \xef\xbf\xbd, caf\xe9"\n'


def test_a_header_alone_is_a_valid_file(tmp_path: Path) -> None:
    assert written("csv", tmp_path / "out.csv", TEXT, []) == (["id", "text"], [])


@given(st.lists(st.tuples(st.text(), st.text(alphabet='a,"\r\n\t\0 ')), max_size=5), st.sampled_from([",", "\t"]))
@settings(max_examples=150, deadline=None)
def test_a_reader_finds_the_texts_that_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "delimited"
    writer = DelimitedWriter(path, [Column("id"), Column("text", pa.string())], None, delimiter)
    writer.write(rows)
    writer.close()
    found = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), delimiter=delimiter))
    assert found == [["id", "text"], *map(list, rows)]
