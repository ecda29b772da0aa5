"""The ZIP of SMS Import / Export."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import orjson
import pytest

from backfill.columns import Roles
from backfill.formats import sms_ie
from backfill.formats.base import ReadOptions
from backfill.plan import Plan
from backfill.source import open_source
from backfill.stop import Stop
from tasks.errors import UnreadableArchive

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
PICTURE = {"_id": "3", "date": "1700000120", "__sender_address": {"address": "insert-address-token"}, "__parts": []}


@pytest.fixture
def make(tmp_path: Path, origin: Any) -> Any:
    def make(*lines: dict[str, Any] | bytes, member: str = "messages.ndjson") -> Any:
        path = tmp_path / "messages.zip"
        written = [line if isinstance(line, bytes) else orjson.dumps(line) for line in lines]
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            archive.writestr(member, b"".join(line + b"\n" for line in written))
            archive.writestr("data/PART_1.jpg", b"invented")
        return origin(path)

    return make


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
    reader.close()


def test_an_archive_of_mms_alone_has_the_columns_too(make: Any, by_name: Any) -> None:
    reader = sms_ie.open_reader(make(MMS), ReadOptions())
    assert [(row["address"], row["body"]) for row in by_name(reader)] == [("+447700900125", "first\nsecond")]
    reader.close()


def test_broken_lines_are_rows_with_a_problem(make: Any) -> None:
    long = orjson.dumps({"body": "x" * 1_000_001})
    reader = sms_ie.open_reader(make(b"{broken", SMS, b"", b"[1]", long, {"body": 5}, SMS), ReadOptions())
    assert [(row.text, row.problem) for row in reader.rows()] == [
        (None, "line 1 is no valid JSON object"),
        ("tea 😀?", None),
        (None, "line 4 is no valid JSON object"),
        (None, "line 5 is longer than 1,000,000 bytes"),
        (None, "the text, 'body', is no string"),
        ("tea 😀?", None),
    ]
    reader.close()


def test_progress_is_told(make: Any) -> None:
    one = make(*[SMS] * 5_000)
    reader = sms_ie.open_reader(one, ReadOptions())
    assert one.position == 0
    assert len(list(reader.rows())) == 5_000
    assert one.position == one.size
    reader.close()


@pytest.fixture
def damaged(make: Any, tmp_path: Path, origin: Any) -> Any:
    def damaged(share: float) -> Any:
        make(*[SMS | {"_id": f"{number**3:x}"} for number in range(20_000)])
        path = tmp_path / "messages.zip"
        content = bytearray(path.read_bytes())
        at = int(len(content) * share)
        content[at : at + 20] = b"\xff" * 20
        path.write_bytes(content)
        return origin(path)

    return damaged


def test_a_damaged_member_gives_its_rows_and_then_the_problem(damaged: Any) -> None:
    reader = sms_ie.open_reader(damaged(0.5), ReadOptions())
    *rows, last = reader.rows()
    assert len(rows) > 1_000
    assert rows[0].text == "tea 😀?"
    assert last.text is None
    assert "messages.zip!messages.ndjson is damaged" in str(last.problem)
    reader.close()


def test_a_member_of_which_nothing_can_be_read_is_an_error(damaged: Any) -> None:
    with pytest.raises(UnreadableArchive, match=r"messages\.zip!messages\.ndjson is damaged"):
        sms_ie.open_reader(damaged(0.0004), ReadOptions())


def test_other_files_are_refused(make: Any, origin: Any) -> None:
    with pytest.raises(UnreadableArchive, match=r"holds no messages\.ndjson"):
        sms_ie.open_reader(make(SMS, member="other.txt"), ReadOptions())
    with pytest.raises(UnreadableArchive, match="no ZIP file"):
        sms_ie.open_reader(origin(b"no archive"), ReadOptions())


def test_a_source_knows_the_zip_by_what_is_in_it(make: Any, tmp_path: Path) -> None:
    make(SMS, MMS)
    plan = Plan((str(tmp_path / "messages.zip"),), tmp_path / "out.csv", "csv")
    with open_source(plan, Stop()) as source:
        assert source.format == "sms-ie"
        assert [row.text for row in source.rows()] == ["tea 😀?", "first\nsecond"]
        assert source.position == source.size
