"""The ZIP of SMS Import / Export."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import orjson
import pytest

from sluice.backfill.formats import sms_ie
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.run.stop import Stop, Stopped
from sluice.backfill.source import open_source
from sluice.backfill.table.columns import Roles
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import opened, plan, read, texts

FROM = {"address": "+447700900125", "type": "137", "__display_name": "Kim"}
SMS = {"_id": "1", "address": "+447700900123", "date": "1700000000000", "type": "1", "body": "tea 😀?"}
MMS = {
    "_id": "2",
    "date": "1700000060",
    "__sender_address": FROM,
    "__parts": [
        {"seq": "-1", "ct": "application/smil", "text": "<smil/>"},
        {"seq": "0", "ct": "text/plain", "text": "first"},
        {"seq": "0", "ct": "image/jpeg", "_data": "/data/PART_1.jpg"},
        {"seq": "0", "ct": "text/plain", "text": "second"},
    ],
}
TEXTS = ["tea 😀?", "first\nsecond"]
PICTURE = {"_id": "3", "date": "1700000120", "__sender_address": {"address": "insert-address-token"}, "__parts": []}


def lines(*messages: dict[str, Any] | bytes) -> bytes:
    return b"".join((one if isinstance(one, bytes) else orjson.dumps(one)) + b"\n" for one in messages)


@pytest.fixture
def make(input_file: Any) -> Any:
    return lambda *messages: input_file(lines(*messages))


@pytest.fixture
def export(tmp_path: Path) -> Any:
    """A ZIP file as the app makes it."""

    def export(*messages: dict[str, Any] | bytes, member: str = "messages.ndjson") -> Path:
        path = tmp_path / "messages.zip"
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            archive.writestr(member, lines(*messages))
            archive.writestr("data/PART_1.jpg", b"invented")
        return path

    return export


def test_messages_of_both_kinds_have_texts_senders_and_times(make: Any, by_name: Any) -> None:
    reader = sms_ie.open_reader(make(SMS, MMS, PICTURE), ReadOptions())
    assert reader.roles == Roles("body", "address", "date")
    assert [(row.text, row.problem) for row in reader.rows()] == [
        ("tea 😀?", None),
        ("first\nsecond", None),
        (None, "the message has no text"),
    ]
    rows = by_name(reader)
    assert list(rows[0]) == ["_id", "address", "date", "type", "body", "__sender_address", "__parts"]
    assert [row["address"] for row in rows] == ["+447700900123", "+447700900125", None]
    assert [row["date"] for row in rows] == ["1700000000000", "1700000060", "1700000120"]
    assert rows[1]["body"] == "first\nsecond"
    assert rows[1]["__parts"] == MMS["__parts"]


def test_an_archive_of_mms_alone_has_the_columns_too(make: Any, by_name: Any) -> None:
    reader = sms_ie.open_reader(make(MMS), ReadOptions())
    assert [(row["address"], row["body"]) for row in by_name(reader)] == [("+447700900125", "first\nsecond")]


def test_broken_lines_are_rows_with_a_problem(make: Any) -> None:
    long = orjson.dumps({"body": "x" * 1_000_001})
    reader = sms_ie.open_reader(make(b"{broken", SMS, b"", b"[1]", long, {"body": 5}, SMS), ReadOptions())
    assert [(row.text, row.problem) for row in reader.rows()] == [
        (None, "line 1 is no valid JSON object"),
        ("tea 😀?", None),
        (None, "line 4 is no valid JSON object"),
        (None, "line 5 is longer than 1,000,000 characters"),
        (None, "the text, 'body', is no string"),
        ("tea 😀?", None),
    ]


def test_half_an_emoji_spoils_its_own_row_only(make: Any) -> None:
    reader = sms_ie.open_reader(make(b'{"body": "tea \\ud83d", "date": "1"}', SMS), ReadOptions())
    assert [(row.values[1], row.problem) for row in reader.rows()] == [("1", None), ("1700000000000", None)]


@pytest.fixture
def damaged(export: Any) -> Any:
    def damaged(share: float) -> Path:
        path: Path = export(*[SMS | {"_id": f"{number**3:x}"} for number in range(20_000)])
        content = bytearray(path.read_bytes())
        at = int(len(content) * share)
        content[at : at + 20] = b"\xff" * 20
        path.write_bytes(content)
        return path

    return damaged


def test_a_damaged_member_gives_its_rows_and_then_the_problem(damaged: Any, tmp_path: Path) -> None:
    *rows, last = read(tmp_path, damaged(0.5))
    assert len(rows) > 1_000
    assert rows[0].text == "tea 😀?"
    assert last.text is None
    assert "messages.zip!messages.ndjson is damaged" in str(last.problem)


def test_a_member_of_which_nothing_can_be_read_is_an_error(damaged: Any, tmp_path: Path) -> None:
    with pytest.raises(UnreadableArchive, match=r"messages\.zip!messages\.ndjson is damaged"):
        read(tmp_path, damaged(0.0004))


def test_a_zip_of_something_else_is_refused(export: Any, tmp_path: Path) -> None:
    with pytest.raises(UnreadableArchive, match=r"holds no messages\.ndjson"):
        read(tmp_path, export(SMS, member="other.txt"), format="sms-ie")


def test_the_messages_are_read_from_a_folder_of_the_zip_and_without_one_if_the_caller_says_so(
    export: Any, tmp_path: Path
) -> None:
    assert texts(tmp_path, export(SMS, MMS, member="backup/messages.ndjson"), format="sms-ie") == TEXTS
    bare = tmp_path / "messages.ndjson"
    bare.write_bytes(lines(SMS, MMS))
    assert texts(tmp_path, bare, format="sms-ie") == TEXTS


def test_a_source_knows_the_zip_by_what_is_in_it(export: Any, tmp_path: Path) -> None:
    for member in ("messages.ndjson", "./messages.ndjson"):
        with opened(tmp_path, export(SMS, MMS, member=member)) as source:
            assert source.format == "sms-ie"
            assert [row.text for row in source.rows()] == TEXTS
            assert source.position == source.size


def test_messages_that_a_zip_holds_twice_are_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "messages.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("messages.ndjson", lines(SMS))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("messages.ndjson", lines(MMS))
    assert texts(tmp_path, path) == TEXTS


def test_what_the_messages_unpack_to_is_bounded(export: Any, tmp_path: Path) -> None:
    path = export(*[b" " * 1_000] * 2_000)
    with pytest.raises(UnreadableArchive, match=r"unpacks to too much.*1,000,000 bytes"):
        open_source(plan(tmp_path, path, max_unpacked_bytes=1_000_000), Stop())


def test_a_stop_ends_the_survey(export: Any, tmp_path: Path) -> None:
    stop = Stop()
    path = export(*[SMS] * 20_000)
    stop._ask(signal.SIGTERM, None)
    with pytest.raises(Stopped):
        open_source(plan(tmp_path, path), stop)


def test_the_one_array_of_version_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "messages-2022-05-01.json"
    path.write_bytes(orjson.dumps([SMS, MMS, PICTURE]))
    with opened(tmp_path, path) as source:
        assert source.format == "sms-ie"
        assert [row.text for row in source.rows()] == [*TEXTS, None]
