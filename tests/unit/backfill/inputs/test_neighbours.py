"""Files beside an archive: those without messages are passed over, those that were sent in a chat too."""

from __future__ import annotations

import gzip
import io
import re
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import opened, texts
from tests.unit.backfill.wording import refused, told

SMS = b'<smses count="1"><sms address="1" body="hello" date="1"/></smses>'
CALLS = b'<?xml version=\'1.0\' encoding=\'UTF-8\' ?>\n<calls count="1"><call number="1" duration="4"/></calls>'
TABLE = b"id,text\n1,sent\n"
PHOTO = b"\xff\xd8\xff\xe0" + bytes(99)


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def database(table: str) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE {table} (name TEXT)")
        return connection.serialize()


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


#: Files of phones and computers that hold no messages.
NEIGHBOURS = {
    "calls.xml": CALLS,
    "contacts.vcf": b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Example;Mia;;;\r\nTEL;TYPE=CELL:+1\r\nEND:VCARD\r\n",
    "contacts.csv": b"Name,Phone 1 - Value,Notes\nMia,+1,\nTom,+2,friend\n",
    "calls.csv": b"number,duration,date\n+1,42,2026-04-01\n",
    "calls.ndjson": b'{"number":"+1","date":"1"}\n',
    "contacts.json": b'[{"name":"Mia","phone":"+1"}]',
    "settings.json": b'{"sms": true}\n',
    "list.json": b"[1, 2]",
    "calendar.ics": b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n",
    "desktop.ini": b"[.ShellClassInfo]\r\nIconResource=C:\\a.dll,3\r\n",
    "notes.txt": b"milk, eggs, bread\nbutter, jam, tea\n",
    "index.html": b"<html><body>text,id</body></html>",
    "empty.xml": b"",
    "photo.jpg": PHOTO,
    "contacts.db": database("contacts"),
    "msgstore.db": database("message"),
    "table.parquet": parquet(id=[1], name=["x"]),
    "numbers.parquet": parquet(text=[1], name=["x"]),
}
neighbours = pytest.mark.parametrize("name", NEIGHBOURS)


@neighbours
@pytest.mark.parametrize("way", ["folder", "glob", "zip", "zip in a folder"])
def test_a_neighbour_without_messages_is_passed_over_with_a_note(tmp_path: Path, name: str, way: str) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    members = {"sms.xml": SMS, name: NEIGHBOURS[name]}
    if way.startswith("zip"):
        (folder / "all.zip").write_bytes(zipped(members))
    else:
        for member, content in members.items():
            (folder / member).write_bytes(content)
    given = {"folder": folder, "glob": folder / "*", "zip": folder / "all.zip", "zip in a folder": folder}[way]
    with opened(tmp_path, given) as source:
        assert [row.text for row in source.rows()] == ["hello"]
        (note,) = told(source.notes)
        assert note.startswith("skipped 1 ")
        assert name in note


@neighbours
def test_what_is_named_by_itself_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(NEIGHBOURS[name])
    (tmp_path / "sms.xml").write_bytes(SMS)
    if name != "notes.txt":  # a text may be a message a line, who knows
        with pytest.raises(UnreadableArchive):
            texts(tmp_path, tmp_path / "sms.xml", tmp_path / name)


@neighbours
def test_alone_in_a_folder_it_says_what_is_wrong(tmp_path: Path, name: str) -> None:
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / name).write_bytes(NEIGHBOURS[name])
    with pytest.raises(UnreadableArchive):
        texts(tmp_path, tmp_path / "phone")


def test_zip_files_of_calls_and_empty_ones_beside_messages(tmp_path: Path) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    (folder / "messages.zip").write_bytes(zipped({"messages.ndjson": b'{"body":"hello","address":"1","date":"1"}\n'}))
    (folder / "calls.zip").write_bytes(zipped({"calls.ndjson": NEIGHBOURS["calls.ndjson"], "a.jpg": PHOTO}))
    (folder / "empty.zip").write_bytes(zipped({}))
    assert texts(tmp_path, folder) == ["hello"]


def test_a_format_that_is_given_passes_over_what_is_not_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "phone"
    folder.mkdir()
    for name, content in (NEIGHBOURS | {"sms.xml": SMS}).items():
        (folder / name).write_bytes(content)
    assert texts(tmp_path, folder, format="backup-xml") == ["hello"]


@pytest.mark.parametrize("header", ["Nachricht;Von", "mensaje;de", "Message text;from", "短信;从"])
def test_a_table_that_may_hold_messages_is_not_passed_over(tmp_path: Path, header: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("text\none\n")
    (folder / "b.csv").write_text(f"{header}\nzwei;x\ndrei;y\n")
    with refused(UnreadableArchive, "--text-column"):
        texts(tmp_path, folder)


# chats


def chat(*lines: str) -> bytes:
    return "".join(f"[01.04.26, 18:00:{at:02}] Mia: {line}\n" for at, line in enumerate(lines)).encode()


BANK = b"date;message\n2026-01-02;card payment\n2026-01-03;refund\n"
OTHER_CHAT = b"[02.04.26, 10:00:00] Tom: forwarded\n"
#: How a chat says that a file was sent, in some of its languages.
SENT = [
    "\u200e<attached: {}>",
    "\u200e<adjunto: {}>",
    "<pièce jointe : {}>",
    "Report \u200e<angehängt: {}>",
    "{} (file attached)",
    "\u200e{} (Datei angehängt)",
    "{} (ファイル添付)",
    "{} <\u200eattached>",
]
ATTACHED = {
    "bank.csv": BANK,
    "chat of Tom.txt": OTHER_CHAT,
    "sms.xml": SMS,
    "data.json": b'[{"text":"in json"}]',
    "Preisliste für Zoë.csv": BANK,
    "lines.txt": b"one\ntwo\n",
    "card.vcf": NEIGHBOURS["contacts.vcf"],
    "table.parquet": parquet(text=["in parquet"]),
    "report.pdf": b"%PDF-1.7\n",
    "voice.opus": b"OggS" + bytes(99),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("said", SENT)
@pytest.mark.parametrize("name", ATTACHED)
def test_what_a_chat_names_is_no_input(tmp_path: Path, name: str, said: str, packed: bool) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    members = {"_chat.txt": chat("see this", said.format(name)), name: ATTACHED[name]}
    if packed:
        (folder / "export.zip").write_bytes(zipped(members))
    else:
        for member, content in members.items():
            (folder / member).write_bytes(content)
    for given in (folder, *folder.glob("*.zip")):
        found = texts(tmp_path, given)
        assert found[0] == "see this"
        assert len(found) == 2


def test_a_zip_in_a_chat_s_folder_that_was_sent_is_not_looked_into(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "_chat.txt").write_bytes(chat("\u200e<attached: 00000003-all.zip>"))
    (folder / "00000003-all.zip").write_bytes(zipped({"bank.csv": BANK}))
    with opened(tmp_path, folder) as source:
        assert len(list(source.rows())) == 1
        assert "left out 1 file that was sent in a chat" in told(source.notes)[0]


@pytest.mark.parametrize("name", ["00000005-bank.csv", "DOC-20260401-WA0003.csv"])
def test_names_that_only_exports_give_are_enough(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "_chat.txt").write_bytes(chat("hello"))
    (folder / name).write_bytes(BANK)
    assert texts(tmp_path, folder) == ["hello"]


def test_in_a_zip_tables_beside_a_chat_were_sent(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    path.write_bytes(zipped({"WhatsApp Chat with Mia.txt": chat("hello"), "bank.csv": BANK}))
    assert texts(tmp_path, path) == ["hello"]


def test_archives_of_several_programs_in_one_folder_are_all_read(tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / "a_chat.txt").write_bytes(chat("in the chat, not other.csv"))
    (folder / "another_chat.txt").write_bytes(OTHER_CHAT)
    (folder / "sms.xml").write_bytes(SMS)
    (folder / "r.csv").write_bytes(b"text\nin the table\n")
    found = texts(tmp_path, folder)
    assert found == ["in the chat, not other.csv", "forwarded", "in the table", "hello"]


def test_what_is_named_by_itself_is_read_whatever_the_chat_says(tmp_path: Path) -> None:
    (tmp_path / "_chat.txt").write_bytes(chat("bank.csv (file attached)"))
    (tmp_path / "bank.csv").write_bytes(BANK)
    found = texts(tmp_path, tmp_path / "_chat.txt", tmp_path / "bank.csv")
    assert found == ["bank.csv (file attached)", "card payment", "refund"]


# ZIP files of SMS Import / Export that were packed again

MESSAGES = (
    b'{"_id":"1","address":"+1","date":"1","body":"hello"}\n'
    b'{"_id":"2","date":"2","msg_box":"1","__sender_address":{"address":"+2","type":"137"},'
    b'"__parts":[{"ct":"text/plain","text":"in a part"},{"ct":"image/jpeg"}]}\n'
)


@pytest.mark.parametrize("top", ["", "messages-2026/", "a/b/c/", "messages-2026\\", ".\\x\\"])
def test_an_export_in_folders_is_the_same_export(tmp_path: Path, top: str) -> None:
    path = tmp_path / "again.zip"
    members = {
        f"{top}messages.ndjson": MESSAGES,
        f"{top}data/PART_1": PHOTO,
        f"{top}data/PART_2.csv": BANK,
        f"__MACOSX/{top}._messages.ndjson": b"\0\5\26\7",
        f"{top}.DS_Store": b"x",
        "Thumbs.db": PHOTO,
    }
    path.write_bytes(
        zipped({name.replace("data/", "data\\") if "\\" in top else name: members[name] for name in members})
    )
    with opened(tmp_path, path) as source:
        rows = list(source.rows())
        assert [row.text for row in rows] == ["hello", "in a part"]
        assert source.format == "sms-ie"
        senders = [row.values[[column.name for column in source.columns].index("address")] for row in rows]
        assert senders == ["+1", "+2"]


def test_several_exports_in_one_zip(tmp_path: Path) -> None:
    path = tmp_path / "both.zip"
    path.write_bytes(zipped({"a/messages.ndjson": MESSAGES, "b/messages.ndjson": MESSAGES, "b/data/P": PHOTO}))
    assert texts(tmp_path, path) == ["hello", "in a part"] * 2


def test_an_unpacked_export(tmp_path: Path) -> None:
    folder = tmp_path / "messages-2026"
    folder.mkdir()
    (folder / "messages.ndjson").write_bytes(MESSAGES)
    assert texts(tmp_path, folder) == texts(tmp_path, folder / "messages.ndjson") == ["hello", "in a part"]


def test_a_file_that_is_only_called_so_is_read_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.zip"
    path.write_bytes(zipped({"messages.ndjson": b'{"text":"mine"}\n'}))
    assert texts(tmp_path, path) == ["mine"]


# a table without a header beside one with a header


@pytest.mark.parametrize("row", ["ham\tOk lor", "ham\tGo until jurong point, crazy", "7\tOk"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_first_row_that_is_a_message_becomes_no_header_in_silence(tmp_path: Path, row: str, order: int) -> None:
    (tmp_path / "a.tsv").write_text("label\ttext\nham\thi\n")
    (tmp_path / "b.tsv").write_text(f"{row}\nspam\tWin\n")
    paths = [tmp_path / "a.tsv", tmp_path / "b.tsv"][::order]
    for column in (None, "2", "text"):
        with pytest.raises(UnreadableArchive, match=r"b\.tsv"):
            texts(tmp_path, *paths, text_column=column)


def test_tables_with_headers_of_several_languages_by_number(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("label\ttext\nham\thi\n")
    (tmp_path / "b.tsv").write_text("Art\tNachricht\nham\tzwei\n")
    assert texts(tmp_path, tmp_path / "a.tsv", tmp_path / "b.tsv", text_column="2") == ["hi", "zwei"]


@pytest.mark.parametrize(
    ("name", "members"),
    [
        ("book.xlsx", {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<x/>", "docProps/custom.csv": TABLE}),
        ("letter.odt", {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b"<x/>"}),
        ("app.apk", {"AndroidManifest.xml": b"\x03\0\x08\0", "assets/words.csv": TABLE}),
    ],
)
def test_documents_and_programs_are_one_file_each(tmp_path: Path, name: str, members: dict[str, bytes]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sms.xml").write_bytes(SMS)
    (tmp_path / "in" / name).write_bytes(zipped(members))
    with opened(tmp_path, tmp_path / "in") as source:
        assert [row.text for row in source.rows()] == ["hello"]
        assert told(source.notes) == [f"skipped 1 file that holds no messages: {tmp_path / 'in' / name}"]


def encrypted(data: bytes) -> bytes:
    """A ZIP file whose members say that they are encrypted."""
    changed = bytearray(data)
    changed[6] |= 1
    changed[data.find(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def changed(data: bytes) -> bytes:
    """A ZIP file whose only member, stored as it is, does not fit its checksum from the start."""
    return data[:14] + bytes(4) + data[18:]


PACKED_SMS = zipped({"sms.xml": SMS})
#: Files that may hold messages, but cannot be read.
DAMAGED = {
    "a.zip": PACKED_SMS[:-30],
    "b.zip": encrypted(PACKED_SMS),
    "c.zip": PACKED_SMS[:40],
    "d.db": b"SQLite format 3\0" + bytes(99),
    "e.parquet": b"PAR1" + b"x" * 99,
    "f.xml.gz": gzip.compress(SMS)[:12],
    "g.gz": b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\xff" * 99,
    "h.json": b'[{"text" "hello"}]',
    "i.xml": b'<!DOCTYPE smses [<!ENTITY a "b">]><smses><sms body="&a;"/></smses>',
    "j.xml": b'<?xml version="1.0" encoding="klingon"?><smses><sms body="caf\xe9"/></smses>',
}
damaged = pytest.mark.parametrize("name", DAMAGED)


@damaged
@pytest.mark.parametrize("way", ["folder", "glob", "zip"])
def test_what_cannot_be_read_is_a_row_beside_what_can(tmp_path: Path, name: str, way: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    files = {"a-good.xml": SMS, f"bad-{name}": DAMAGED[name], "z-good.xml": SMS}
    if way == "zip":
        if name.endswith(".zip"):
            pytest.skip("ZIP files in ZIP files are not looked into")
        (folder / "all.zip").write_bytes(zipped(files))
    else:
        for one, data in files.items():
            (folder / one).write_bytes(data)
    given = {"folder": folder, "glob": folder / "*", "zip": folder / "all.zip"}[way]
    with opened(tmp_path, given) as source:
        rows = list(source.rows())
        assert [row.text for row in rows] == ["hello", None, "hello"]
        assert name in (rows[1].problem or "")
        assert [
            note for note in told(source.notes) if name in note and "could not be read: its row has the reason" in note
        ]
        assert len(source.fingerprint) == (1 if way == "zip" else 3)
        assert source.format == "backup-xml"


@damaged
def test_what_cannot_be_read_is_refused_by_itself(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / name
    path.write_bytes(DAMAGED[name])
    for given in (path, tmp_path / "in"):
        with pytest.raises(UnreadableArchive, match=re.escape(name)):
            texts(tmp_path, given)


def test_a_column_that_is_not_there_is_an_error_whatever_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_bytes(b"text,date\nhello,1\n")
    (tmp_path / "in" / "b.zip").write_bytes(DAMAGED["b.zip"])
    with pytest.raises(UnreadableArchive, match="no column 'sms'"):
        texts(tmp_path, tmp_path / "in", text_column="sms")


def test_what_was_sent_in_a_chat_may_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "_chat.txt").write_text("[01.04.26, 18:00:01] Mia: <attached: 00000002-data.gz>\n")
    (tmp_path / "in" / "00000002-data.gz").write_bytes(DAMAGED["g.gz"])
    assert texts(tmp_path, tmp_path / "in") == ["<attached: 00000002-data.gz>"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["messages (1).ndjson", "Messages.NDJSON", "messages-2026.json"])
def test_attachments_of_an_export_under_another_name_are_no_input(tmp_path: Path, name: str, packed: bool) -> None:
    message = b'{"_id":"1","address":"+1","date":"1","body":"hello","__display_name":"M"}'
    files = {f"x/{name}": b"[%b]" % message if name.endswith(".json") else message + b"\n", "x/data/p.csv": TABLE}
    if packed:
        path = tmp_path / "in.zip"
        path.write_bytes(zipped(files))
    else:
        path = tmp_path / "x"
        (path / "data").mkdir(parents=True)
        for one, data in files.items():
            (tmp_path / one).write_bytes(data)
    assert texts(tmp_path, path) == ["hello"]
