"""The folders of archives, for as long as they are kept."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sluice.backfill.archive.folder import Description, Folder, Progress
from sluice.harness.process import wait_for
from sluice.web.archives.store import ArchiveStore
from tests.unit.web.archives.uploads import (
    GOOD,
    MakeApp,
    detail,
    left,
    only_these_stay,
    supervisor_with,
    upload,
    when,
)


def test_only_the_note_and_the_results_stay_of_a_finished_archive(http: FlaskClient, root: Path) -> None:
    job = when(http, "done", upload(http))
    only_these_stay(root / job["id"], {"archive.json", "progress.json", "lock", "result.csv"})


def test_more_archives_than_the_setting_says_are_refused(make_app: MakeApp) -> None:
    http = make_app(max_archives=2).test_client()
    first = when(http, "done", upload(http))
    upload(http)
    response = upload(http)
    assert response.status_code == 429
    assert response.headers["Retry-After"]
    assert detail(response)["details"]["limit"] == 2
    http.delete(f"/jobs/{first['id']}")
    assert upload(http).status_code == 202


def test_after_its_time_an_archive_is_not_found_and_then_deleted(http: FlaskClient, root: Path) -> None:
    job = when(http, "done", upload(http))
    only_these_stay(root / job["id"], {"archive.json", "progress.json", "lock", "result.csv"})
    folder = Folder(root / job["id"])
    progress = folder.progress()
    assert progress.finished_at is not None
    progress.finished_at -= 86_401
    folder.note_progress(progress)
    assert http.get(f"/jobs/{job['id']}").status_code == 404
    assert http.get(f"/jobs/{job['id']}/results").status_code == 404
    wait_for(lambda: left(root) == [], "the folder's end")


def test_an_archive_that_never_ran_goes_too(make_app: MakeApp, root: Path) -> None:
    http = make_app().test_client()
    first = when(http, "running", upload(http, b"wait"))
    second = Folder(root / upload(http).get_json()["id"])
    second.describe(replace(second.description(), created_at=time.time() - 86_401))
    wait_for(lambda: left(root) == [first["id"]], "the folder's end")
    http.delete(f"/jobs/{first['id']}")


def test_the_same_key_with_the_same_body_is_the_same_archive(http: FlaskClient) -> None:
    first = upload(http, key="k", output="jsonl")
    assert upload(http, key="k", output="jsonl").headers["Location"] == first.headers["Location"]
    assert upload(http, key="other", output="jsonl").headers["Location"] != first.headers["Location"]
    assert upload(http, GOOD + b"x", key="k", output="jsonl").status_code == 409
    assert upload(http, key="k", output="csv").status_code == 409


def test_a_folder_that_cannot_be_written_is_said_without_its_path(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    response = upload(make_app(archive_dir=tmp_path / "taken").test_client())
    assert response.status_code == 500
    assert str(tmp_path) not in response.get_data(as_text=True)
    assert detail(response)["error"] == "unwritable_output"


def test_an_archive_that_goes_while_it_is_looked_at_does_not_look_new(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = supervisor_with(root, GOOD)
    folder.finish(Progress().end("failed"))
    description = Folder.description

    def then_gone(self: Folder) -> Description:
        found = description(self)
        self.remove()
        return found

    monkeypatch.setattr(Folder, "description", then_gone)
    assert ArchiveStore(root, 10, 60).find(folder.id)[2].state == "failed"


def test_what_a_dead_process_left_is_swept_and_what_a_live_one_makes_is_not(root: Path) -> None:
    store = ArchiveStore(root, 10, 60)
    with store.incoming() as held:
        paths = {name: root / name for name in (".incoming-dead", ".incoming-new", ".trash-old")}
        for path in paths.values():
            (path / "uploads").mkdir(parents=True)
        for path in (held.path, paths[".incoming-dead"], paths[".trash-old"]):
            os.utime(path, (0, 0))
        store.sweep()
        assert sorted(left(root)) == sorted([held.path.name, ".incoming-new"])
