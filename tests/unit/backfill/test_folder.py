"""The run's folder: one process at a time, a checkpoint that is whole or absent, gone at the end."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from sluice.backfill.checkpoint import AHEAD, Checkpoint
from sluice.backfill.files import lock
from sluice.backfill.folder import CHECKPOINT, RunFolder
from sluice.tasks.errors import ChangedRun, UnwritableOutput
from tests.unit.backfill.wording import refused


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.csv"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.csv.sluice"


def checkpoint() -> Checkpoint:
    return Checkpoint([{"name": "in.csv", "size": 3, "sha256": "0"}], {"scores": False}, rows=7, number=3)


def test_a_saved_checkpoint_is_found_again(path: Path, target: Path) -> None:
    saved = checkpoint()
    with RunFolder(path, target) as folder:
        assert folder.load() is None
        folder.save(saved)
    with RunFolder(path, target) as folder:
        assert folder.load() == saved


@pytest.mark.parametrize("content", [b"", b"[]", b'{"rows": 1}', b"\xff", checkpoint().dump()[:-5]])
def test_a_checkpoint_that_is_none_of_ours_is_refused(path: Path, target: Path, content: bytes) -> None:
    with RunFolder(path, target) as folder:
        (path / CHECKPOINT).write_bytes(content)
        with refused(ChangedRun, "--restart"):
            folder.load()


def test_only_one_process_writes_an_output(path: Path, target: Path) -> None:
    with RunFolder(path, target), pytest.raises(UnwritableOutput, match="another backfill"):
        RunFolder(path, target).__enter__()
    with RunFolder(path, target):
        pass


def test_a_lock_that_went_with_its_folder_is_none(path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        with RunFolder(path, target) as other:
            other.remove()
        fcntl.flock(descriptor, operation)

    monkeypatch.setattr(lock.fcntl, "flock", late)
    with RunFolder(path, target):
        assert path.is_dir()
        with pytest.raises(UnwritableOutput, match="another backfill"):
            RunFolder(path, target).__enter__()


def test_the_output_appears_and_the_folder_goes(path: Path, target: Path) -> None:
    target.write_text("before")
    with RunFolder(path, target) as folder:
        folder.partial.write_text("after")
        folder.save(checkpoint())
        assert target.read_text() == "before"
        folder.publish()
        assert path.exists()
        folder.remove()
    assert target.read_text() == "after"
    assert not path.exists()


def test_publishing_again_after_a_crash_in_between_does_no_harm(path: Path, target: Path) -> None:
    with RunFolder(path, target) as folder:
        folder.partial.write_text("rows")
        folder.partial.replace(target)
        folder.publish()
    assert target.read_text() == "rows"


def test_restarting_forgets_everything(path: Path, target: Path) -> None:
    with RunFolder(path, target) as folder:
        folder.save(checkpoint())
        (path / "unpacked").mkdir()
        folder.clear()
        assert folder.load() is None
        assert [one.name for one in path.iterdir()] == ["lock"]


def test_a_folder_without_a_checkpoint_leaves_nothing(path: Path, target: Path) -> None:
    with RunFolder(path, target) as folder:
        folder.remove_if_unused()
    assert not path.exists()


@pytest.mark.parametrize("name", ["absent/out.csv", ".", f"{300 * 'o'}.csv"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    with pytest.raises(UnwritableOutput, match=str(tmp_path)), RunFolder(tmp_path / f"{name}.sluice", target):
        pass


def test_an_output_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.csv")
    with (
        pytest.raises(UnwritableOutput, match="not a regular file"),
        RunFolder(tmp_path / "out.csv.sluice", tmp_path / "out.csv"),
    ):
        pass


def test_a_checkpoint_that_cannot_be_read_is_said_in_a_sentence(path: Path, target: Path) -> None:
    with RunFolder(path, target) as folder:
        (path / CHECKPOINT).mkdir()
        with pytest.raises(UnwritableOutput, match=r"out\.csv"):
            folder.load()


def test_the_envelopes_of_a_run_have_names_that_last() -> None:
    one = checkpoint()
    again = Checkpoint.load(one.dump())
    assert again is not None
    assert again.envelope(5) == one.envelope(5) != checkpoint().envelope(5)
    one.oldest = 2
    assert one.stale() == [one.envelope(number) for number in range(2, 3 + AHEAD)]
