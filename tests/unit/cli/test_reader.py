"""The CSV reader: columns, encodings, and rows that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.backfill.reader import MAX_FIELD_CHARS, CsvReader, UnreadableArchive
from cli.backfill.row import Row

LIMIT = 50


def read(path: Path, data: bytes | str, column: str | None = None) -> tuple[CsvReader, list[Row]]:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with CsvReader(path, column, LIMIT) as reader:
        return reader, list(reader)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "in.csv"


def error(row: Row) -> str:
    assert row.entry is not None
    return str(row.entry["error"]["message"])


def test_rows_with_quotes_commas_and_line_breaks(source: Path) -> None:
    _, rows = read(source, 'id,text\n1,"a, ""b""\nc"\n2,สวัสดี\n')
    assert [row.text for row in rows] == ['a, "b"\nc', "สวัสดี"]
    assert [list(row.fields) for row in rows] == [["1", 'a, "b"\nc'], ["2", "สวัสดี"]]
    assert all(row.entry is None for row in rows)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_endings(source: Path, end: str) -> None:
    _, rows = read(source, end.join(["text", "one", "two"]))
    assert [row.text for row in rows] == ["one", "two"]


def test_a_byte_order_mark_is_no_part_of_the_header(source: Path) -> None:
    reader, rows = read(source, b"\xef\xbb\xbftext,id\nhi,1\n")
    assert reader.header == ["text", "id"]
    assert rows[0].text == "hi"


@pytest.mark.parametrize("name", ["text", "message", "body", "sms", "content", "Message", " BODY "])
def test_the_text_column_is_found(source: Path, name: str) -> None:
    reader, rows = read(source, f"id,{name},x\n1,hello,2\n")
    assert reader.text_column == name
    assert rows[0].text == "hello"


def test_text_is_preferred_to_the_other_names(source: Path) -> None:
    reader, _ = read(source, "body,text\na,b\n")
    assert reader.text_column == "text"


def test_the_named_column_is_taken(source: Path) -> None:
    _, rows = read(source, "text,Nachricht\na,b\n", "Nachricht")
    assert rows[0].text == "b"


def test_a_column_that_is_not_there(source: Path) -> None:
    with pytest.raises(UnreadableArchive, match="no column 'nope'; its columns are 'a', 'b'"):
        read(source, "a,b\n1,2\n", "nope")


def test_no_known_column(source: Path) -> None:
    with pytest.raises(UnreadableArchive, match="--text-column"):
        read(source, "a,b\n1,2\n")


@pytest.mark.parametrize("data", ["", "\n\n", " , \n1,2\n"])
def test_no_header(source: Path, data: str) -> None:
    with pytest.raises(UnreadableArchive, match="no header"):
        read(source, data)


def test_no_file(source: Path) -> None:
    with pytest.raises(UnreadableArchive, match="No such file"), CsvReader(source, None, LIMIT):
        pass


def test_only_a_header(source: Path) -> None:
    assert read(source, "text\n")[1] == []


def test_blank_and_long_texts_are_refused_here(source: Path) -> None:
    _, rows = read(source, f'id,text\n1,\n2,"  "\n3,{"x" * (LIMIT + 1)}\n4,{"x" * LIMIT}\n')
    assert [error(row) for row in rows[:3]] == [
        "the text is empty or blank",
        "the text is empty or blank",
        f"the text has {LIMIT + 1} characters, over the limit of {LIMIT}",
    ]
    assert rows[3].entry is None


def test_bytes_that_are_not_utf_8_are_kept_and_marked(source: Path) -> None:
    _, rows = read(source, b"id,text\n1,caf\xe9\n2,fine\n")
    assert error(rows[0]) == "the text is not UTF-8"
    assert rows[0].fields[1].encode("utf-8", "surrogateescape") == b"caf\xe9"
    assert rows[1].text == "fine"


def test_too_many_fields_are_an_error_because_the_text_may_be_cut(source: Path) -> None:
    _, rows = read(source, "id,text\n1,hello, world\n2,fine\n")
    assert error(rows[0]) == "line 2: 3 fields, but the header names 2"
    assert list(rows[0].fields) == ["1", "hello"]
    assert rows[1].text == "fine"


def test_too_few_fields(source: Path) -> None:
    _, rows = read(source, "id,text,note\n1\n2,fine\n")
    assert error(rows[0]) == "line 2: the row ends before its text column"
    assert list(rows[0].fields) == ["1", "", ""]
    assert list(rows[1].fields) == ["2", "fine", ""]
    assert rows[1].entry is None


def test_empty_lines_are_no_rows(source: Path) -> None:
    assert len(read(source, "text\n\na\n\n\nb\n")[1]) == 2


def test_an_unclosed_quote_does_not_stop_the_rest(source: Path) -> None:
    filler = "x" * 1_000 + "\n"
    _, rows = read(source, 'text\nbefore\n"' + filler * (MAX_FIELD_CHARS // 1_000 + 1) + "after\n")
    assert rows[0].text == "before"
    assert "field larger than field limit" in error(rows[1])
    assert rows[-1].text == "after"


def test_nul_bytes(source: Path) -> None:
    assert read(source, b"text\na\x00b\n")[1][0].text == "a\x00b"


def test_positions_grow_to_the_size_of_the_file(source: Path) -> None:
    reader, rows = read(source, "text\n" + "hello\n" * 5_000)
    ends = [row.end for row in rows]
    assert ends == sorted(ends)
    assert ends[-1] == reader.size == source.stat().st_size
