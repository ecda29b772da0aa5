"""The CSV writer: columns, and an output that is whole or not there."""

from __future__ import annotations

import csv
import stat
from pathlib import Path

import pytest

from cli.backfill.row import Row
from cli.backfill.writer import CsvWriter, UnwritableOutput
from tasks.envelope import failed, labelled

GOOD = Row(["1", 'a "b",\nc'], "", 0, labelled(None, "spam", 0.98765432, "sms-mini", "1"))
BAD = Row(["2", ""], None, 0, failed(None, "invalid_input", "the text is empty or blank"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_columns(target: Path) -> None:
    with CsvWriter(target, ["id", "text"]) as writer:
        writer.write([GOOD, BAD])
    added = {"label": "spam", "probability": "0.987654", "model": "sms-mini", "version": "1", "error": ""}
    blank = dict.fromkeys(added, "")
    assert table(target) == [
        {"id": "1", "text": 'a "b",\nc', **added},
        {"id": "2", "text": "", **blank, "error": "invalid_input: the text is empty or blank"},
    ]


def test_names_that_are_taken_get_a_prefix(target: Path) -> None:
    with CsvWriter(target, ["text", "label", "error", "sluice_error"]):
        pass
    header = target.read_text().strip().split(",")
    assert header[4:] == ["sluice_label", "probability", "model", "version", "sluice_sluice_error"]


def test_nothing_is_there_until_all_is_written(target: Path) -> None:
    with CsvWriter(target, ["id", "text"]) as writer:
        writer.write([GOOD])
        assert not target.exists()
    assert [path.name for path in target.parent.iterdir()] == ["out.csv"]


def test_an_error_leaves_the_old_file_alone(target: Path) -> None:
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), CsvWriter(target, ["id", "text"]) as writer:
        writer.write([GOOD])
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert [path.name for path in target.parent.iterdir()] == ["out.csv"]


def test_bytes_that_are_not_utf_8_come_out_as_they_went_in(target: Path) -> None:
    row = Row(["caf\udce9"], None, 0, failed(None, "invalid_input", "the text is not UTF-8"))
    with CsvWriter(target, ["text"]) as writer:
        writer.write([row])
    assert b"caf\xe9," in target.read_bytes()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput, match="No such file"), CsvWriter(tmp_path / "no" / "out.csv", ["text"]):
        pass


def test_a_full_disk_is_one_clear_error() -> None:
    writer = CsvWriter(Path("/dev/out.csv"), ["text"])
    writer._partial = Path("/dev/full")
    row = Row(["x" * 4_000_000], "", 0, GOOD.entry)
    try:
        with pytest.raises(UnwritableOutput, match="No space left"), writer:
            writer._discard = lambda: None  # type: ignore[method-assign]  # /dev/full is not ours to remove
            writer.write([row])
    finally:
        assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
