"""Formats, told by content."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.formats.detect import detect
from sluice.backfill.formats.registry import Detected, open_reader
from sluice.backfill.formats.table import NAMES
from sluice.backfill.run.read_options import ReadOptions
from sluice.cli import wording
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import FIXTURES, format_name, input_file
from tests.unit.backfill.wording import refused

Kind = Callable[..., str | None]


@pytest.fixture
def kind(tmp_path: Path) -> Kind:
    def of(data: bytes | str | Path, **options: Any) -> str | None:
        content = data.encode() if isinstance(data, str) else data
        return format_name(input_file(tmp_path, content), **options)

    return of


def arrow(stream: bool) -> bytes:
    table = pa.table({"text": ["a"]})
    out = io.BytesIO()
    opened = pa.ipc.new_stream if stream else pa.ipc.new_file
    with opened(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def test_parquet_and_arrow(kind: Kind) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"]}), out)
    assert kind(out.getvalue()) == "parquet"
    assert kind(arrow(stream=False)) == "arrow"
    assert kind(arrow(stream=True)) == "arrow"


@pytest.mark.parametrize(("table", "expected"), [("message", "imessage"), ("messages", "sqlite"), ("other", "sqlite")])
def test_databases_are_told_by_their_tables(kind: Kind, tmp_path: Path, table: str, expected: str) -> None:
    path = tmp_path / "data # of 100%?.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE {table} (text)")
    assert kind(path) == expected
    assert kind(gzip.compress(path.read_bytes())) == expected


def test_a_damaged_database_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableArchive, match="damaged SQLite"):
        detect(input_file(tmp_path, b"SQLite format 3\0" + b"\xff" * 500))


@pytest.mark.parametrize(
    "data",
    [
        '<smses count="0"></smses>',
        '\ufeff<?xml version="1.0"?>\n<!--made by x--><smses count="1"><sms/></smses>',
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n<calls count=\"0\"/>",
    ],
)
def test_backups_in_xml(kind: Kind, data: str) -> None:
    assert kind(data) == "backup-xml"
    assert kind(data.encode("utf-16")) == "backup-xml"


@pytest.mark.parametrize("data", ["<html><body>text,id</body></html>", '<?xml version="1.0"?><svg/>', "<"])
def test_other_xml_is_nothing(kind: Kind, data: str) -> None:
    assert kind(data) is None


@pytest.mark.parametrize(
    "data",
    [
        '{"text":"a, b"}\n{"text":"c"}\n',
        '\ufeff\n{"text":"a"}',
        '{"a":1}\nbroken\n{"a":2}\n',
        '{"text":"a","n":NaN}\n{"text":"b","n":-Infinity}\n{"text":"c","n":1}\n',
        '{"text":"a\u2028b\x85c"}\n{"text":"d\u2028e\u2029f"}\n',
        '[{"text":"a"}]',
        ' [\n  {\n  "text": "a"\n  }\n]',
        json.dumps({"text": "x" * 2_000_000}),
    ],
)
def test_json(kind: Kind, data: str) -> None:
    assert kind(data) == "jsonl"


@pytest.mark.parametrize(
    "line",
    [
        "[05.11.26, 09:15:01] Anna: hello, you",
        "\u200e[11/5/26, 9:15:01\u202fPM] Anna: hello",
        "[2026-11-05 09:15:01] Anna: hello",
        "\ufeff05/11/2026, 09:15 - Anna: hello",
        "11/5/26, 9:15 PM - Anna: hello",
        "5/11/2026, 9:15 p. m. - Anna: hello",
        "[2026. 11. 5. 오후 9:15:11] Anna: hello",
        "2026/11/5 下午9:15 - Anna: hello",
        "2026. 11. 05. 9:15 - Anna: hello",
        "\u200f5/11/2026، 9:15 م - Anna: hello",
        "5.11.2026 klo 9.15 - Anna: hello",
        "05.11.26, 09:15 - Messages are end-to-end encrypted",
    ],
)
def test_chats(kind: Kind, line: str) -> None:
    assert kind(f"{line}\nand on, with more\n{line}\n") == "whatsapp"


@pytest.mark.parametrize(
    "data",
    [
        "id,text\n1,a\n",
        "text\nhello, you\nhow are you?\n",
        "x;y\n1;2\n3;4\n",
        "date\ttext\n2026-11-05\ta\n",
        "[id],text\n1,a\n",
        "id,text\n",
    ],
)
def test_tables(kind: Kind, data: str) -> None:
    assert kind(data) == "csv"


def test_a_table_is_known_by_the_column_that_the_caller_names(kind: Kind) -> None:
    assert kind("nachricht\nguten Tag, du\nja\n") is None
    assert kind("nachricht\nguten Tag, du\nja\n", text_column="Nachricht") == "csv"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xd8\xff\xe0" + bytes(50), "a JPEG picture"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"x" * 257 + b"ustar" + bytes(100), "a tar file"),
        (bytes(range(256)), "binary, and begins with the bytes 00 01 02 03"),
        (b'{\n "letters": [\n  {"text": "secret"}]}', "JSON, but not like one object a line"),
        (b"<html>", "XML or HTML"),
        (b"Dear Sir,\nthis is a letter, and no table.\nYours, truly, me\n", "text, but neither a table"),
    ],
)
def test_what_is_not_recognised_is_described(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnreadableArchive, match=said) as caught:
        detect(input_file(tmp_path, data))
    assert "--format" in wording.said(caught.value)
    assert "secret" not in str(caught.value)
    assert all(name in str(caught.value) for name in NAMES)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableArchive, match="archive is empty"):
        detect(input_file(tmp_path, b""))


def test_fixtures(kind: Kind) -> None:
    assert kind(FIXTURES / "messages.jsonl") == "jsonl"
    assert kind(FIXTURES / "semicolons_cp1252.csv") == "csv"
    assert kind(FIXTURES / "tabs_utf16.tsv") == "csv"


def test_there_is_no_such_format(tmp_path: Path) -> None:
    with refused(UnreadableArchive, "no format 'excel': --format takes csv, jsonl"):
        open_reader(Detected("excel"), input_file(tmp_path, b"text\n"), ReadOptions())


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_format_or_not(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    try:
        found = format_name(input_file(tmp_path_factory.mktemp("any"), data))
    except UnreadableArchive:
        return  # damaged: it begins like something packed or a database
    assert found is None or found in NAMES
