"""JSON of Fossify Messages and Simple SMS Messenger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import opened, texts

SMS = {"address": "+1", "body": "hello", "date": 1, "type": 1, "backupType": "sms"}
PICTURE = {"contentType": "image/jpeg", "contentDisposition": None, "data": "AAAA" * 9_000}
MMS = {
    "date": 2,
    "subject": None,
    "addresses": [{"address": "+9", "type": 151}, {"address": "+2", "type": 137}],
    "parts": [PICTURE, {"contentType": "text/plain", "text": "one"}, {"contentType": "text/plain;x", "text": "two"}],
    "backupType": "mms",
}
NO_TEXT = MMS | {"parts": [PICTURE]}


def bare(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "backupType"}


THREADS = [{"sms": [bare(SMS), bare(SMS)], "mms": [bare(MMS)]}, {"sms": [], "mms": None}, {"mms": [bare(NO_TEXT)]}]


def write(folder: Path, content: Any, **options: Any) -> Path:
    path = folder / "messages.json"
    path.write_text(json.dumps(content, **options), encoding="utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 2])
def test_messages_of_the_present_form(tmp_path: Path, indent: int | None) -> None:
    path = write(tmp_path, [NO_TEXT, SMS, MMS], indent=indent)
    with opened(tmp_path, path) as source:
        rows = list(source.rows())
        names = [column.name for column in source.columns]
        assert source.format == "fossify"
        assert [row.text for row in rows] == [None, "hello", "one\ntwo"]
        assert [row.problem for row in rows] == ["the message has no text", None, None]
        assert [row.values[names.index("address")] for row in rows] == ["+2", "+1", "+2"]


@pytest.mark.parametrize("indent", [None, 2])
def test_conversations_of_old_versions(tmp_path: Path, indent: int | None) -> None:
    path = write(tmp_path, THREADS, indent=indent)
    with opened(tmp_path, path) as source:
        rows = list(source.rows())
        kind = [column.name for column in source.columns].index("backupType")
        assert [(row.text, row.values[kind]) for row in rows] == [
            ("hello", "sms"),
            ("hello", "sms"),
            ("one\ntwo", "mms"),
            (None, "mms"),
        ]


def test_one_conversation_alone(tmp_path: Path) -> None:
    assert texts(tmp_path, write(tmp_path, THREADS[0])) == ["hello", "hello", "one\ntwo"]


def test_what_is_no_message_in_a_conversation_is_a_row_with_a_problem(tmp_path: Path) -> None:
    with opened(tmp_path, write(tmp_path, [{"sms": [bare(SMS), 7], "mms": []}])) as source:
        assert [row.problem for row in source.rows()] == [None, "the sms 2 of a conversation is no JSON object"]


@pytest.mark.parametrize(
    "content",
    [
        [NO_TEXT],
        [{"sms": [], "mms": []}],
        [{"sms": {"a": 1}, "n": 1}, {"sms": {"a": 2}, "n": 1}],
        [{"sms": 7}],
        [{"text": None}, {"text": 1}],
    ],
)
def test_a_file_without_any_text_is_one_error_and_not_rows_of_errors(tmp_path: Path, content: Any) -> None:
    with pytest.raises(UnreadableArchive):
        texts(tmp_path, write(tmp_path, content))


def test_another_key_holds_the_texts(tmp_path: Path) -> None:
    assert texts(tmp_path, write(tmp_path, [{"sms": {"id": 1}, "content": "hello"}])) == ["hello"]
