"""Plain text, a message a line."""

from __future__ import annotations

import bz2
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sluice.backfill.formats.base import MAX_FIELD_CHARS
from sluice.backfill.formats.sample import Sample
from sluice.backfill.formats.text import is_plain
from sluice.backfill.run.read_options import ReadOptions
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import opened, read, texts
from tests.unit.backfill.wording import refused, told

LINES = "see you at 8\nYour parcel is here, pay 1.99\n\n  \nYou won: call now!\n"
MESSAGES = ["see you at 8", "Your parcel is here, pay 1.99", "You won: call now!"]


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("messages.txt", data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.txt", bytes),
        ("a.TEXT", bytes),
        ("a.txt.gz", gzip.compress),
        ("a.txt.bz2", bz2.compress),
        ("a.zip", zipped),
    ],
)
def test_a_file_that_is_called_text_is_read_line_by_line(tmp_path: Path, name: str, pack: Any) -> None:
    path = tmp_path / name
    path.write_bytes(pack(LINES.encode()))
    with opened(tmp_path, path) as source:
        assert source.format == "text"
        assert [row.text for row in source.rows()] == MESSAGES
        assert [note.partition(": ")[2] for note in told(source.notes)] == [
            "read as plain text, a message a line",
            "2 blank lines are left out",
        ]


def test_any_file_is_text_if_the_caller_says_so(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text("id,text\n1,one\n")
    assert texts(tmp_path, path, format="text") == ["id,text", "1,one"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_lines_of_every_system(tmp_path: Path, end: str, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(LINES.replace("\n", end).encode(encoding))
    assert texts(tmp_path, path) == MESSAGES


@pytest.mark.parametrize("char", ["\r", "\x85", "\u2028", "\u2029", "\x0b"])
def test_what_does_not_end_a_line_is_a_character(tmp_path: Path, char: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(f"hello{char}you\nnext\n".encode())
    assert texts(tmp_path, path) == [f"hello{char}you", "next"]


def test_a_line_that_is_too_long_is_one_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\n" + "x" * (3 * MAX_FIELD_CHARS) + "\n" + "y" * MAX_FIELD_CHARS + "\nlast")
    rows = read(tmp_path, path)
    assert [row.text for row in rows] == ["one", None, "y" * MAX_FIELD_CHARS, "last"]
    assert rows[1].problem == "line 2 is longer than 1,000,000 characters"


def test_bytes_of_no_encoding_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("größer\nschöner\n".encode() + b"caf\xe9\n")
    assert texts(tmp_path, path) == ["größer", "schöner", "caf\udce9"]


#: What is text too, but no message a line.
OTHERS = {
    "csv": "id,text\n1,one\n2,two\n",
    "unknown columns": "a;b;c\n1;2;3\n4;5;6\n",
    "table without a header": "2026-04-01\t22333\tYou won\n2026-04-02\t22334\tHi\n",
    "json lines": '{"text":"a"}\n{"text":"b"}\n',
    "json": '{\n "messages": [\n  {"text": "a"}\n ]\n}\n',
    "json array": '["a",\n"b"]\n',
    "xml": "<?xml version='1.0'?>\n<a/>\n",
    "html": "<!DOCTYPE html>\n<html></html>\n",
    "chat": "[01.04.26, 18:00:01] Mia: see you\n",
    "chat of another program": "2026-04-01 18:00 Mia hello\n2026-04-01 18:01 Tom hi\n",
    "chat with months": "24 mars 2014 13:59 - Mia: hi\n24 mars 2014 14:00 - Tom: yo\n",
    "chat with dates of America": "Mar 24, 2014 1:59 PM Mia: hi\nMar 24, 2014 2:59 PM Tom: yo\n",
    "log": "10:00:01 INFO start\n10:00:02 INFO stop\n",
    "card": "BEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n",
    "mail": "From: a@example.org\nSubject: x\n\nhello\n",
    "key": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "settings": "[main]\na = b\n",
    "rtf": "{\\rtf1\\ansi hello}\n",
    "script": "#!/bin/sh\necho hello\n",
    "empty": "",
    "blank": "\n \n",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_formats_are_never_taken_for_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(OTHERS[kind])
    try:
        with opened(tmp_path, path) as source:
            assert source.format != "text"
    except UnreadableArchive:
        pass


def test_commas_make_no_table_of_messages(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    lines = ["hello there, how are you today", "I am fine, thanks for asking me", "see you, then"]
    path.write_text("\n".join(lines))
    assert texts(tmp_path, path) == lines


@pytest.mark.parametrize(
    "first", ["<3 you", "[URGENT] your parcel waits", "{name}, you won", "https://example.org", "#1 offer"]
)
def test_messages_that_begin_oddly_are_messages(tmp_path: Path, first: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"{first}\nsee you\n")
    assert texts(tmp_path, path) == [first, "see you"]


def test_in_a_folder_a_text_is_not_taken_for_messages(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "notes.txt").write_text(LINES)
    (folder / "a.csv").write_text("text\none\n")
    assert texts(tmp_path, folder) == ["one"]
    assert texts(tmp_path, folder, format="text") == ["text", "one", *MESSAGES]


def test_an_error_says_how_to_read_it(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text(LINES)
    with refused(UnreadableArchive, "--format text"):
        read(tmp_path, path)


@pytest.mark.parametrize(
    "content",
    [
        "Mia, [24.03.2024 13:59]\nhello\n\nTom, [24.03.2024 14:00]\nyes\nand no\n",
        "Mia Example, [24/03/2024 13:59:01]\nhello\nTom, [3/24/24 2:00 PM]\nyes\n",
        "[LINE] Chat history with Mia\nSaved on: 2024/03/24 13:59\n\n2024/03/24(Sun)\n13:59\tMia\thello\n",
        "2024/03/24(Sun)\n13:59\tMia\thello\n14:00\tTom\tyes\n",
        "2024년 3월 24일 오후 1:59, Mia : hello\n2024년 3월 24일 오후 2:00, Tom : yes\nmore\n",
        "--------------- 2024年3月24日 ---------------\n[Mia] [1:59 PM] hello\n[Tom] [2:00 PM] yes\n",
        "Conversation: Mia (+1)\n\nFrom: Mia (+1)\nSent: Sun, 24 Mar 2024\n\nhello\n",
        '"text" "label"\n"1" "hello" "ham"\n"2" "you won" "spam"\n',
    ],
)
def test_chats_of_other_programs_are_no_messages_a_line(content: str) -> None:
    assert not is_plain(Sample(content.encode(), ReadOptions()))


@pytest.mark.parametrize(
    "content",
    [
        "Your appointment is on [24.03.2024] at 13:59\nhello\nyes\nsee you\n",
        '"hello"\n"there, you"\n',
        "[Bank] your code is 1234\n[Shop] 10% off\n",
        "meet at 13:59\nor 14:30?\n",
    ],
)
def test_messages_that_resemble_chats_are_messages(content: str) -> None:
    assert is_plain(Sample(content.encode(), ReadOptions()))
