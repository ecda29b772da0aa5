"""All inputs as one table."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from sluice.backfill.run.stop import Stop, Stopped
from sluice.backfill.source import open_source
from sluice.backfill.table.columns import Column
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import opened, plan
from tests.unit.backfill.wording import refused, told


def write(folder: Path, **files: str) -> list[Path]:
    paths = []
    for name, content in files.items():
        paths.append(folder / name.replace("_", "."))
        paths[-1].write_text(content)
    return paths


def test_one_input_keeps_its_columns_and_order(tmp_path: Path) -> None:
    with opened(tmp_path, *write(tmp_path, a_csv="x,text,y\n1,one,2\n")) as source:
        assert source.columns == [Column("x"), Column("text"), Column("y")]
        assert [row.values for row in source.rows()] == [["1", "one", "2"]]


def test_inputs_share_one_table(tmp_path: Path) -> None:
    paths = write(
        tmp_path,
        a_csv="id,text\n1,one\n",
        b_csv="sender,text,id\nme,two,2\n",
        c_jsonl='{"body":"three","n":3}\n',
    )
    with opened(tmp_path, *paths) as source:
        assert [column.name for column in source.columns] == ["id", "text", "sender", "body", "n"]
        rows = list(source.rows())
        assert [row.values for row in rows] == [
            ["1", "one", None, None, None],
            ["2", "two", "me", None, None],
            [None, None, None, "three", 3],
        ]
        assert [row.text for row in rows] == ["one", "two", "three"]
        assert (source.roles.text, source.roles.sender, source.roles.time) == ("text", "sender", None)
        assert source.elsewhere == {"text": ["body"], "sender": [], "time": []}
        assert source.format == "csv, jsonl"


def test_a_type_that_differs_between_inputs_becomes_text(tmp_path: Path) -> None:
    paths = write(tmp_path, a_jsonl='{"text":"a","n":1,"m":1}\n', b_jsonl='{"text":"b","n":"x","m":2}\n')
    with opened(tmp_path, *paths) as source:
        assert source.columns == [Column("text"), Column("n"), Column("m", pa.int64())]
        assert [row.values for row in source.rows()] == [["a", 1, 1], ["b", "x", 2]]


def test_rows_with_problems_have_the_table_s_width(tmp_path: Path) -> None:
    paths = write(tmp_path, a_csv="id,text\n1,one\n", b_jsonl='{"text":"a"}\nbroken\n{"text":"b"}\n')
    with opened(tmp_path, *paths) as source:
        assert [row.values for row in source.rows()] == [["1", "one"], [None, "a"], [None, None], [None, "b"]]


def test_the_position_grows_to_the_size(tmp_path: Path) -> None:
    lines = "text\n" + "hello there\n" * 60_000
    with opened(tmp_path, *write(tmp_path, a_csv=lines, b_csv=lines)) as source:
        assert source.position == 0
        positions = [source.position for _ in source.rows()]
        assert positions == sorted(positions)
        assert len(set(positions)) > 2
        assert source.position == source.size == 2 * len(lines)


def test_the_fingerprint_names_each_file(tmp_path: Path) -> None:
    paths = write(tmp_path, a_csv="text\none\n", b_csv="text\ntwo\n")
    with opened(tmp_path, *paths) as source:
        assert source.fingerprint == [
            {"name": str(path), "size": 9, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in paths
        ]


def test_a_file_that_was_touched_is_not_altered(tmp_path: Path) -> None:
    paths = write(tmp_path, a_csv="text\none\n", b_csv="text\ntwo\n")
    with opened(tmp_path, *paths) as source:
        os.utime(paths[1], ns=(1, 1))
        assert source.altered() is None
        assert source.unchanged()
        paths[1].write_text("text\nTWO\n")
        assert source.altered() == 1
        paths[1].unlink()
        assert source.altered() is None


def test_a_change_is_noticed(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a_csv="text\none\n")
    with opened(tmp_path, path) as source:
        assert source.unchanged()
        os.utime(path, ns=(1, 1))
        assert not source.unchanged()
    with opened(tmp_path, path) as source:
        path.unlink()
        assert not source.unchanged()


def test_files_of_a_folder_that_hold_no_messages_are_skipped_and_noted(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder, a_csv="text\none\n", LICENSE="All rights reserved.\n", empty_csv="")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(99))
    with opened(tmp_path, folder) as source:
        assert [row.text for row in source.rows()] == ["one"]
        listed = ", ".join(str(folder / name) for name in ("LICENSE", "empty.csv", "photo.jpg"))
        assert told(source.notes) == [f"skipped 3 files that hold no messages: {listed}"]
        assert len(source.fingerprint) == 1


def test_a_folder_without_any_archive_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder, LICENSE="All rights reserved.\n")
    with pytest.raises(UnreadableArchive, match="none of the files there holds messages"):
        opened(tmp_path, folder)


def test_a_table_without_texts_in_a_folder_is_an_error_and_not_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder, a_csv="text\none\n", b_csv="nachricht,id\nzwei,2\n")
    with refused(UnreadableArchive, r"b\.csv .*--text-column"):
        opened(tmp_path, folder)


def test_notes_of_readers_name_their_input(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a_csv="id;text\n1;one\n")
    with opened(tmp_path, path) as source:
        assert told(source.notes) == [f"{path}: its fields are separated by semicolons"]


@pytest.mark.parametrize("name", ["/dev/null", "/dev/zero"])
def test_devices_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableArchive, match="neither a file nor a folder"):
        opened(tmp_path, name)


def test_a_stop_ends_the_opening(tmp_path: Path) -> None:
    stop = Stop()
    stop._ask(signal.SIGINT, None)
    with pytest.raises(Stopped):
        open_source(plan(tmp_path, *write(tmp_path, a_csv="text\none\n")), stop)


def test_a_stop_ends_the_wait_for_a_row_that_does_not_come(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,text\n1,one\n" + b"\n" * 5_000_000 + b"2,two\n")
    stop = Stop()
    with open_source(plan(tmp_path, path), stop) as source:
        rows = source.rows()
        assert next(rows).text == "one"
        stop._ask(signal.SIGTERM, None)
        with pytest.raises(Stopped):
            next(rows)


def test_what_changes_in_the_log_of_a_database_is_a_change_of_the_input(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE message (text TEXT)")
        writer.execute("PRAGMA wal_checkpoint")
        writer.executemany("INSERT INTO message VALUES (?)", [("one",), ("two",)])
        writer.commit()
        with opened(tmp_path, path) as source:
            assert [row.text for row in source.rows()] == ["one", "two"]
            assert source.unchanged()
            before = source.fingerprint
            writer.execute("DELETE FROM message WHERE text = 'one'")
            writer.commit()
            assert not source.unchanged()
        with opened(tmp_path, path) as source:
            assert [row.text for row in source.rows()] == ["two"]
            assert source.fingerprint != before
            assert [file["name"] for file in source.fingerprint] == [str(path), f"{path}-wal"]
