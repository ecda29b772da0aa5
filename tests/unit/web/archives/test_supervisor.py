"""Runners: started, started again, given up; and what of an archive is put away."""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sluice.backfill.archive.folder import Folder, Progress, Starts
from sluice.backfill.files.lock import Lock
from sluice.harness.process import wait_for
from sluice.web.archives.store import ArchiveStore
from sluice.web.archives.supervisor import GIVEN_UP, MAX_STARTS, RunnerSupervisor
from tests.unit.web.archives.uploads import (
    COMMAND,
    GOOD,
    ROOT,
    left,
    look_at_once,
    settings_in,
    supervisor_with,
    upload,
    when,
)


def unlocked(folder: Folder) -> bool:
    """Whether nobody works in the folder."""
    lock = folder.lock()
    if lock is not None:
        lock.close()
    return lock is not None


def test_a_report_whose_runner_died_is_made_by_the_next(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    supervisor, folder = supervisor_with(root, GOOD)
    folder.note_ending({})
    folder.note_progress(Progress().end("done"))
    look_at_once(supervisor, folder)
    assert folder.starts().count == 1
    wait_for(lambda: not folder.reporting, "the next runner's end")
    folder.note_ending({})
    folder.note_starts(Starts(MAX_STARTS, 2))
    wait_for(partial(unlocked, folder), "the runner's death")
    supervisor.look()
    assert (folder.progress().state, folder.progress().error) == ("done", None)
    assert folder.result("csv").exists()


def test_as_many_run_at_once_as_the_setting_says(http: FlaskClient) -> None:
    first = when(http, "running", upload(http, b"wait"))
    second = upload(http, b"wait")
    third = upload(http)
    time.sleep(0.3)
    states = [http.get(one.headers["Location"]).get_json()["state"] for one in (second, third)]
    assert states == ["queued", "queued"]
    http.delete(f"/jobs/{first['id']}")
    second_id = when(http, "running", second)["id"]
    assert http.get(third.headers["Location"]).get_json()["state"] == "queued"
    http.delete(f"/jobs/{second_id}")
    when(http, "done", third)


def test_a_runner_that_only_waits_ends_with_the_time_of_its_archive(http: FlaskClient, root: Path) -> None:
    folder = Folder(root / upload(http, b"idle").get_json()["id"])
    wait_for(lambda: folder.starts().count, "the runner")
    folder.describe(replace(folder.description(), created_at=time.time() - 86_401))
    assert http.get(f"/jobs/{folder.id}").status_code == 404
    wait_for(lambda: left(root) == [], "the folder's end")


def test_a_disk_that_fills_later_is_said_in_the_log_and_waited_for(
    http: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(self: Folder, starts: Starts) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Folder, "note_starts", full)
        response = upload(http)
        wait_for(lambda: ": OSError (No space left on device)" in caplog.text, "the reason")
    when(http, "done", response)


def test_a_runner_that_dies_again_and_again_is_given_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    supervisor, folder = supervisor_with(root, b"die")
    for started in range(1, MAX_STARTS + 1):
        look_at_once(supervisor, folder)
        assert folder.starts().count == started
        wait_for(partial(unlocked, folder), "the runner's death")
    look_at_once(supervisor, folder)
    assert folder.progress().error == {"code": "internal_error", "message": GIVEN_UP}
    assert not folder.uploads.exists()


def test_a_damaged_archive_holds_up_no_other(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    supervisor, damaged = supervisor_with(root, b"wait")
    (damaged.path / "starts.json").write_bytes(b"{")
    _, other = supervisor_with(root, b"wait")
    supervisor.look()
    assert other.starts().count == 1
    other.cancel()
    wait_for(lambda: other.progress().finished, "the runner's end")


def test_progress_between_two_deaths_counts(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    supervisor, folder = supervisor_with(root, b"die")
    for _ in range(2):
        look_at_once(supervisor, folder)
        wait_for(partial(unlocked, folder), "the runner's death")
    folder.note_progress(Progress(state="running", done=10))
    look_at_once(supervisor, folder)
    assert (folder.starts().count, folder.starts().done) == (1, 10)


def test_two_supervisors_start_one_runner(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    supervisor, folder = supervisor_with(root, b"wait")
    other = RunnerSupervisor(settings_in(root, archives_at_once=2), ArchiveStore(root, 10, 60), COMMAND)
    supervisor.look()
    other.look()
    assert folder.starts().count == 1
    folder.cancel()
    wait_for(lambda: folder.progress().finished, "the runner's end")


def test_an_archive_that_another_process_has_just_cancelled_stays(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, folder = supervisor_with(root, GOOD)
    folder.cancel()
    lock = Folder.lock

    def after_the_other(self: Folder) -> Lock | None:
        self.finish(self.progress().end("cancelled"))
        return lock(self)

    monkeypatch.setattr(Folder, "lock", after_the_other)
    supervisor.look()
    assert folder.progress().state == "cancelled"
    assert not folder.uploads.exists()
