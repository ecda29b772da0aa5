"""iMessage's chat.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sluice.backfill.formats import database, imessage
from sluice.backfill.formats.imessage import MessagesReader, when
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Roles
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.wording import told

HEAD = b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85\x92"
BODY = HEAD + b"\x84\x84\x84\x08NSString\x01\x94\x84\x01+\x0fonly attributed\x86"
SCHEMA = """
CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id TEXT);
CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, chat_identifier TEXT);
CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER, PRIMARY KEY (message_id, chat_id));
CREATE TABLE message (ROWID INTEGER PRIMARY KEY, guid TEXT, text TEXT, attributedBody BLOB, handle_id INTEGER,
    date INTEGER, is_from_me INTEGER, service TEXT, unheard_of TEXT);
INSERT INTO handle VALUES (1, '+447700900123'), (2, 'PARCEL');
INSERT INTO chat VALUES (9, 'group of invented people');
INSERT INTO chat_message_join VALUES (9, 20);
"""
MESSAGES = [
    (30, "g30", None, BODY, 2, 721692800000000000, 0, "SMS", None),
    (10, "g10", "tea at four?", None, 1, 721692800123456789, 0, "iMessage", None),
    (20, "g20", "yes", None, 0, 0, 1, "iMessage", None),
    (40, "g40", "\ufffc", None, 1, 721692860000000000, 0, "iMessage", None),
    (50, "g50", None, b"junk", 1, 721692860000000000, 0, "iMessage", None),
]


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def make(schema: str = SCHEMA, messages: Sequence[tuple[Any, ...]] = MESSAGES, more: str = "") -> Path:
        path = tmp_path / "chat.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(schema)
            if messages:
                marks = ", ".join("?" * len(messages[0]))
                connection.executemany(f"INSERT INTO message VALUES ({marks})", messages)
            connection.executescript(more)
            connection.commit()
        return path

    return make


@pytest.fixture
def read(input_file: Any) -> Iterator[Any]:
    readers: list[MessagesReader] = []

    def read(path: Path, **options: Any) -> MessagesReader:
        readers.append(imessage.open_reader(input_file(path), ReadOptions(**options)))
        return readers[-1]

    yield read
    for reader in readers:
        reader.close()


def test_messages_come_by_rowid_with_their_texts_senders_and_times(make: Any, read: Any, by_name: Any) -> None:
    reader = read(make())
    assert reader.roles == Roles("text", "handle", "date")
    no_text = "the message has no text"
    assert [(row.text, row.problem) for row in reader.rows()] == [
        ("tea at four?", None),
        ("yes", None),
        ("only attributed", None),
        (None, no_text),
        (None, no_text),
    ]
    rows = by_name(reader)
    assert [row["ROWID"] for row in rows] == [10, 20, 30, 40, 50]
    assert [row["handle"] for row in rows] == ["+447700900123", None, "PARCEL", "+447700900123", "+447700900123"]
    assert [row["chat"] for row in rows] == [None, "group of invented people", None, None, None]
    assert [row["is_from_me"] for row in rows] == [0, 1, 0, 0, 0]
    assert rows[0]["date"] == "2023-11-14T22:13:20.123456+00:00"
    assert rows[1]["date"] is None
    assert rows[3]["text"] == "\ufffc"
    assert "unheard_of" not in rows[0]


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        (721692800, "2023-11-14T22:13:20+00:00"),
        (721692800 * 10**9, "2023-11-14T22:13:20+00:00"),
        (0, None),
        (None, None),
        ("yesterday", None),
        (2**63 - 1, "2293-04-11T23:47:16.854775+00:00"),
        (10**12, None),
    ],
)
def test_dates_are_seconds_or_nanoseconds_since_2001(stored: object, meant: str | None) -> None:
    assert when(stored) == meant


def test_an_old_database_has_fewer_columns(make: Any, read: Any) -> None:
    path = make("CREATE TABLE message (ROWID INTEGER PRIMARY KEY, text TEXT, date INTEGER);", [(1, "tea", 721692800)])
    reader = read(path)
    assert [column.name for column in reader.columns] == ["ROWID", "date", "text"]
    assert reader.roles == Roles("text", None, "date")
    assert [list(row.values) for row in reader.rows()] == [[1, "2023-11-14T22:13:20+00:00", "tea"]]


def test_every_message_comes_once_across_slices(make: Any, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SLICE_ROWS", 3)
    messages = [(number * 7 - 20, f"g{number}", f"text {number}", *[None] * 6) for number in range(10)]
    reader = read(make(messages=messages))
    assert [row.text for row in reader.rows()] == [f"text {number}" for number in range(10)]
    assert [row.text for row in reader.rows()] == [f"text {number}" for number in range(10)]


def test_values_of_a_wrong_type_do_not_stop_it(make: Any, read: Any, by_name: Any) -> None:
    broken = "UPDATE message SET guid = x'ff', is_from_me = 'yes', text = CAST(x'41ff' AS TEXT) WHERE ROWID = 10;"
    reader = read(make(more=broken))
    row = by_name(reader)[0]
    assert (row["guid"], row["is_from_me"], row["text"]) == (None, None, "A\udcff")


def test_nothing_appears_beside_the_database(make: Any, read: Any) -> None:
    path = make(more="PRAGMA journal_mode = WAL;")
    assert len(list(read(path).rows())) == 5
    assert [one.name for one in path.parent.iterdir()] == ["chat.db"]


def test_messages_that_are_still_in_the_log_are_read(make: Any, read: Any) -> None:
    path = make(more="PRAGMA journal_mode = WAL;")
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("INSERT INTO message (ROWID, text) VALUES (60, 'just now')")
        writer.commit()
        assert [row.text for row in read(path).rows()][-1] == "just now"


def test_other_databases_are_refused_with_their_tables(make: Any, read: Any) -> None:
    with pytest.raises(UnreadableArchive, match=r"no chat\.db.*\('contacts'\)"):
        read(make("CREATE TABLE contacts (name TEXT);", []))


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"\xff" * 2_000, b"no database at all" * 100])
def test_what_is_no_database_is_refused(input_file: Any, content: bytes) -> None:
    with pytest.raises(UnreadableArchive, match="archive"):
        imessage.open_reader(input_file(content), ReadOptions())


def test_chats_that_cannot_be_looked_up_quickly_are_left_out_and_noted(make: Any, read: Any) -> None:
    reader = read(make(SCHEMA.replace("PRIMARY KEY (message_id, chat_id)", "PRIMARY KEY (chat_id, message_id)")))
    assert "chat" not in [column.name for column in reader.columns]
    assert told(reader.notes) == ["its table chat_message_join has no index by message: the column chat is left out"]
