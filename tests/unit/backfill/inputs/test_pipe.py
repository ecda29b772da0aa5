"""Standard input and named pipes."""

from __future__ import annotations

import gzip
import os
import pty
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluice.backfill.inputs.pipe import copy_pipe
from sluice.backfill.run.stop import Stopped
from sluice.tasks.errors import UnreadableArchive
from tests.unit.backfill.inputs.reading import opened, texts

Feed = Callable[[bytes], None]


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    """Puts bytes into standard input, through a pipe."""
    opened_here = []

    def through_pipe(data: bytes) -> None:
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as end:
            end.write(data)
        opened_here.append(os.fdopen(reader))
        monkeypatch.setattr("sys.stdin", opened_here[-1])

    yield through_pipe
    for stream in opened_here:
        stream.close()


def test_standard_input_is_copied_and_told_by_its_content(tmp_path: Path, feed: Feed) -> None:
    packed = gzip.compress(b"text\none\n")
    feed(packed)
    with opened(tmp_path, "-") as source:
        assert [row.text for row in source.rows()] == ["one"]
        assert source.unchanged()
        assert source.fingerprint[0]["name"] == "standard input"
        assert source.fingerprint[0]["size"] == len(packed)
    assert (tmp_path / "out.csv.sluice" / "stdin").read_bytes() == packed


def test_another_standard_input_has_another_fingerprint(tmp_path: Path, feed: Feed) -> None:
    prints = []
    for data in (b"text\none\n", b"text\none\n", b"text\ntwo\n"):
        feed(data)
        with opened(tmp_path, "-") as source:
            prints.append(source.fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_empty_standard_input_is_an_error_and_keeps_the_copy_there_is(tmp_path: Path, feed: Feed) -> None:
    feed(b"text\none\n")
    opened(tmp_path, "-").close()
    feed(b"")
    with pytest.raises(UnreadableArchive, match="standard input is empty"):
        opened(tmp_path, "-")
    assert [path.name for path in (tmp_path / "out.csv.sluice").iterdir()] == ["stdin"]


def test_a_terminal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = pty.openpty()
    with os.fdopen(ends[0], "rb", buffering=0), os.fdopen(ends[1]) as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        with pytest.raises(UnreadableArchive, match="terminal"):
            opened(tmp_path, "-")


def test_closed_standard_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UnreadableArchive, match="closed"):
        opened(tmp_path, "-")


def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = b"text\n" + b"".join(b"%d\n" % at for at in range(50_000))
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    found = texts(tmp_path, pipe)
    writer.join()
    assert found == [str(at) for at in range(50_000)]


def test_a_stop_ends_the_wait_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    waited = iter([False, False])

    def check() -> None:
        if next(waited, True):
            raise Stopped(130)

    with pytest.raises(Stopped):
        copy_pipe(tmp_path / "pipe", "pipe", tmp_path / "copy", check)
    assert not (tmp_path / "copy").exists()
