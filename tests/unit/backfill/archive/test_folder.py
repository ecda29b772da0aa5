"""An archive's folder: what is kept, what goes, who holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.backfill.archive.folder import Description, Folder, Progress, Starts
from sluice.backfill.files.lock import Lock
from sluice.harness.process import wait_for

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An archive in the middle of its run."""
    found = Folder(tmp_path / "archive-1")
    (found.uploads).mkdir(parents=True)
    (found.uploads / "file-1").write_text("text\nhello\n")
    found.describe(Description(created_at=1.0, names=["a.csv"], output="jsonl"))
    (found.path / "result.jsonl.sluice").mkdir()
    (found.path / "result.jsonl.sluice" / "output.jsonl").write_text("{}")
    found.note_starts(Starts(1, 0, 5.0))
    return found


def names(folder: Folder) -> set[str]:
    return {path.name for path in folder.path.iterdir()}


def test_what_is_noted_is_read_again(folder: Folder) -> None:
    progress = Progress("running", None, 10, 1, 0.5, 3.25, {"ham": 9}, 2, "waiting")
    folder.note_progress(progress)
    assert folder.progress() == progress
    assert folder.description() == Description(created_at=1.0, names=["a.csv"], output="jsonl")
    assert folder.starts() == Starts(1, 0, 5.0)


def test_fields_of_another_release_are_left_out(folder: Folder) -> None:
    (folder.path / "progress.json").write_text('{"state": "running", "colour": "red"}')
    assert folder.progress() == Progress(state="running")


def test_of_a_done_archive_the_results_stay(folder: Folder) -> None:
    folder.result("jsonl").write_text("{}")
    folder.finish(folder.progress().end("done"))
    assert names(folder) == {"archive.json", "progress.json", "result.jsonl"}


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_of_any_other_only_the_note_stays(folder: Folder, state: str) -> None:
    folder.report.touch()
    folder.finish(folder.progress().end(state))
    assert names(folder) == {"archive.json", "progress.json"}
    assert folder.progress().state == state


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_a_wish_to_cancel_stays_until_it_is_granted(folder: Folder, state: str) -> None:
    folder.cancel()
    folder.finish(folder.progress().end(state))
    assert folder.cancelled == (state != "cancelled")


def test_a_removed_folder_is_gone_for_everybody(folder: Folder) -> None:
    folder.remove()
    folder.remove()
    assert list(folder.path.parent.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        folder.description()
    with pytest.raises(FileNotFoundError):
        folder.cancel()
    assert folder.lock() is None


def test_a_lock_has_one_holder(folder: Folder) -> None:
    with folder.lock() or pytest.fail("not free"):
        assert folder.lock() is None
    assert folder.lock() is not None


def test_a_lock_on_a_file_that_was_deleted_is_none(folder: Folder) -> None:
    held = folder.lock()
    assert held is not None
    (folder.path / "lock").unlink()
    second = folder.lock()
    assert second is not None  # another file by now: the old one counts for nothing


def test_a_child_holds_a_lock_until_it_dies(folder: Folder) -> None:
    lock = folder.lock()
    assert lock is not None
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], pass_fds=(lock.fileno(),))
    lock.close()
    assert Lock.try_take(folder.path / "lock") is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    wait_for(lambda: Lock.try_take(folder.path / "lock"), "the lock")


def test_a_runner_cannot_take_the_machine(tmp_path: Path) -> None:
    code = (
        "import os, resource; from sluice.backfill.archive import limits\n"
        "limits.apply(1000)\n"
        "print(os.nice(0), *(resource.getrlimit(one)[0] for one in (resource.RLIMIT_AS, resource.RLIMIT_CORE)))\n"
        "file = open('big', 'wb', buffering=0); file.write(b'x' * 1000)\n"
        "try: file.write(b'x')\n"
        "except OSError as exc: print(exc.errno)"
    )
    env = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    nice, space, core, errno = (int(word) for word in done.stdout.split())
    assert (nice, space, core) == (min(19, os.nice(0) + 5), 4 * 1024**3, 0)
    assert errno == 27  # EFBIG
