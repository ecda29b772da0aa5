"""``/archives``: what is received, refused, shown, cleaned up; a stand-in takes the place of the runner."""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sluice.backfill.archive.folder import REPORTING, Description, Folder, Progress, Starts
from sluice.backfill.files.lock import Lock
from sluice.backfill.formats.table import NAMES
from sluice.config.settings import Settings, read
from sluice.harness.process import wait_for
from sluice.web.app import create_app
from sluice.web.archives import form, routes
from sluice.web.archives.names import result_name, shown_name
from sluice.web.archives.runner_process import RunnerCommand, environment
from sluice.web.archives.store import ArchiveStore
from sluice.web.archives.supervisor import GIVEN_UP, MAX_STARTS, RunnerSupervisor
from sluice.web.schemas.archives import ArchiveRequest
from tests.unit.web.fake_gateway import FakeGateway

ROOT = Path(__file__).resolve().parents[3]
COMMAND = RunnerCommand((sys.executable, str(Path(__file__).with_name("fake_runner.py"))))
GOOD = b"text,n\nsee you at 8,1\nwin a prize,2\n"
MakeApp = Callable[..., Flask]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archives"


def settings_in(root: Path, **overrides: object) -> Settings:
    return read(_env_file=None, **({"archive_dir": root, "max_archive_bytes": 100_000} | overrides))


@pytest.fixture
def make_app(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeApp]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made: list[Flask] = []

    def make(**overrides: object) -> Flask:
        made.append(create_app(settings_in(root, **overrides), FakeGateway(), COMMAND))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for app in made:
        app.extensions["sluice-archives"].stop()


@pytest.fixture
def http(make_app: MakeApp) -> FlaskClient:
    return make_app().test_client()


def upload(http: FlaskClient, content: bytes = GOOD, name: str = "sms.csv", **fields: Any) -> TestResponse:
    headers = {"Idempotency-Key": fields.pop("key")} if "key" in fields else {}
    return http.post("/archives", data={**fields, "file": (io.BytesIO(content), name)}, headers=headers)


def when(http: FlaskClient, state: str, response: TestResponse) -> dict[str, Any]:
    """The job of an upload, as soon as it is in ``state``."""
    assert response.status_code == 202, response.get_data(as_text=True)
    place = response.headers["Location"]
    wait_for(lambda: http.get(place).get_json()["state"] == state, f"{state} at {place}", 20)
    found: dict[str, Any] = http.get(place).get_json()
    return found


def detail(response: TestResponse) -> dict[str, Any]:
    found: dict[str, Any] = response.get_json()["detail"]
    return found


def left(root: Path) -> list[str]:
    """What an upload leaves on the disk, locks aside."""
    return [path.name for path in root.iterdir() if not path.name.startswith((".accept", ".slot"))]


def only_these_stay(folder: Path, names: set[str]) -> None:
    """Wait until a runner or supervisor has put the folder in order."""
    wait_for(lambda: {path.name for path in folder.iterdir()} == names, f"only {', '.join(sorted(names))}")


def test_an_upload_becomes_a_job_whose_results_can_be_downloaded(http: FlaskClient) -> None:
    response = upload(http, output="jsonl", report="true")
    assert response.get_json()["state"] == "queued"
    job = when(http, "done", response)
    assert (job["total"], job["done"], job["error"]) == (2, 2, None)
    results = http.get(job["results"])
    assert results.data == GOOD
    assert results.mimetype == "application/x-ndjson"
    assert results.headers["Content-Disposition"] == "attachment; filename=sms.classified.jsonl"
    report = http.get(job["report"])
    assert report.data == b"<h1>report</h1>"
    assert "default-src 'none'" in report.headers["Content-Security-Policy"]


def test_a_download_can_be_asked_for_in_parts(http: FlaskClient) -> None:
    place = when(http, "done", upload(http))["results"]
    assert http.head(place).content_length == len(GOOD)
    part = http.get(place, headers={"Range": "bytes=5-8"})
    assert (part.status_code, part.data) == (206, GOOD[5:9])
    assert http.get(place, headers={"Range": "bytes=5000-"}).status_code == 416
    tag = http.get(place).headers["ETag"]
    assert http.get(place, headers={"If-None-Match": tag}).status_code == 304


def test_only_the_note_and_the_results_stay_of_a_finished_archive(http: FlaskClient, root: Path) -> None:
    job = when(http, "done", upload(http))
    only_these_stay(root / job["id"], {"archive.json", "progress.json", "lock", "result.csv"})


def test_an_archive_over_the_limit_is_refused_and_leaves_nothing(http: FlaskClient, root: Path) -> None:
    response = upload(http, b"x" * 100_001)
    assert response.status_code == 413
    assert detail(response)["details"] == {"field": "file", "limit": 100_000}
    assert left(root) == []
    assert upload(http, b"x" * 1_000_000).status_code == 413
    assert upload(http, b"text" + b"x" * 99_996).status_code == 202


def test_an_endless_body_is_refused_when_it_passes_the_limit(http: FlaskClient, root: Path) -> None:
    class Endless(io.RawIOBase):
        sent = 0

        def read(self, size: int = -1) -> bytes:
            head = b"" if self.sent else b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
            self.sent += 1
            return head + b"x" * 50_000

    body = Endless()
    response = http.post(
        "/archives",
        headers={"Expect": "100-continue"},
        environ_overrides={
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "CONTENT_LENGTH": "",
            "CONTENT_TYPE": "multipart/form-data; boundary=b",
        },
    )
    assert response.status_code == 413
    assert body.sent < 5
    assert left(root) == []


def test_the_content_type_may_be_written_in_any_case(http: FlaskClient) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + GOOD + b"\r\n--b--\r\n"
    assert http.post("/archives", data=body, content_type="Multipart/Form-Data; Boundary=b").status_code == 202


def test_a_file_name_in_another_encoding_is_said_to_be_so(http: FlaskClient, root: Path) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="caf\xe9"\r\n\r\n' + GOOD + b"\r\n--b--\r\n"
    response = http.post("/archives", data=body, content_type="multipart/form-data; boundary=b")
    assert (response.status_code, detail(response)["message"]) == (400, "the name of a file or field is not in UTF-8")
    assert left(root) == []


@pytest.mark.parametrize("cut", [10, 60, 90, -6])
def test_a_body_that_ends_too_early_leaves_nothing(http: FlaskClient, root: Path, cut: int) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + GOOD + b"\r\n--b--\r\n"
    whole = http.post("/archives", data=body, content_type="multipart/form-data; boundary=b")
    assert whole.status_code == 202
    before = left(root)
    response = http.post("/archives", data=body[:cut], content_type="multipart/form-data; boundary=b")
    assert response.status_code == 400
    assert left(root) == before


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"output": "xls"}, "output"),
        ({"format": "pdf"}, "format"),
        ({"scores": "yes"}, "scores"),
        ({"report": "1"}, "report"),
        ({"date_order": "ydm"}, "date_order"),
        ({"encoding": "klingon"}, "encoding"),
        ({"delimiter": "ab"}, "delimiter"),
        ({"text_column": "c" * 201}, "text_column"),
        ({"colour": "red"}, "colour"),
        ({"my secret text": "x"}, "(a field)"),
        ({"output": ["csv", "csv"]}, "output"),
        ({"output": b"\xff"}, "output"),
        ({"encoding": "x" * 2_000}, "encoding"),
    ],
)
def test_a_wrong_field_is_named(http: FlaskClient, root: Path, fields: dict[str, Any], named: str) -> None:
    response = upload(http, **fields)
    assert response.status_code == 422
    assert detail(response)["details"]["field"] == named
    assert "secret" not in response.get_data(as_text=True)
    assert left(root) == []


@pytest.mark.parametrize(
    "data",
    [
        {"output": "csv"},
        {"file": "text of a field"},
        {"file": (io.BytesIO(b""), "")},
        {"other": (io.BytesIO(GOOD), "sms.csv")},
    ],
    ids=["no file", "a field", "an empty input of a browser", "another name"],
)
def test_without_a_file_nothing_is_accepted(http: FlaskClient, data: dict[str, Any]) -> None:
    response = http.post("/archives", data=data, content_type="multipart/form-data")
    assert response.status_code == 422
    assert detail(response)["details"]["field"] in ("file", "other")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("text/csv", 415),
        ("application/json", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=b", 400),
    ],
)
def test_another_kind_of_body_is_refused(http: FlaskClient, content_type: str, status: int) -> None:
    assert http.post("/archives", data=GOOD, content_type=content_type).status_code == status


@pytest.mark.parametrize(
    ("word", "status", "field"), [(b"junk", 415, None), (b"broken", 422, "text_column"), (b"crash-in-check", 422, None)]
)
def test_what_is_no_archive_is_refused_at_once(
    http: FlaskClient, root: Path, word: bytes, status: int, field: str | None
) -> None:
    response = upload(http, word)
    assert response.status_code == status
    assert detail(response)["details"].get("field") == field
    assert left(root) == []


def test_results_of_an_archive_that_is_not_done_are_a_conflict(http: FlaskClient) -> None:
    running = when(http, "running", upload(http, b"wait", report="true"))
    assert running["results"] is None
    for part in ("results", "report"):
        response = http.get(f"/jobs/{running['id']}/{part}")
        assert response.status_code == 409
        assert response.headers["Retry-After"]
    http.delete(f"/jobs/{running['id']}")
    failed = when(http, "failed", upload(http, b"fail"))
    assert failed["error"] == {"code": "unreadable_archive", "message": "cut off in the middle"}
    response = http.get(f"/jobs/{failed['id']}/results")
    assert response.status_code == 409
    assert "cut off" in detail(response)["message"]


def test_results_are_there_before_the_report(http: FlaskClient, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "REPORT_WAIT_S", 0.05)
    job = when(http, "done", upload(http, b"report", report="true"))
    assert (job["note"], job["report"]) == (REPORTING, f"/jobs/{job['id']}/report")
    assert http.get(job["results"]).data == b"report"
    response = http.get(job["report"])
    assert (response.status_code, bool(response.headers["Retry-After"])) == (409, True)
    (root / job["id"] / "go on").touch()
    monkeypatch.setattr(routes, "REPORT_WAIT_S", 10.0)
    assert http.get(job["report"]).data == b"<h1>report</h1>"
    only_these_stay(root / job["id"], {"archive.json", "progress.json", "lock", "result.csv", "report.html"})
    after = http.get(f"/jobs/{job['id']}").get_json()
    assert (after["finished_at"], after["note"]) == (job["finished_at"], None)


def test_an_archive_may_go_while_its_report_is_made(http: FlaskClient, root: Path) -> None:
    job = when(http, "done", upload(http, b"report", report="true"))
    assert http.delete(f"/jobs/{job['id']}").status_code == 200
    assert http.get(f"/jobs/{job['id']}").status_code == 404


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
    wait_for(lambda: (lock := folder.lock()) is not None and lock.close() is None, "the runner's death")
    supervisor.look()
    assert (folder.progress().state, folder.progress().error) == ("done", None)
    assert folder.result("csv").exists()


def test_a_report_that_was_not_asked_for_is_not_found(http: FlaskClient) -> None:
    job = when(http, "done", upload(http))
    assert job["report"] is None
    assert http.get(f"/jobs/{job['id']}/report").status_code == 404


def test_a_running_archive_can_be_cancelled_and_its_texts_go(http: FlaskClient, root: Path) -> None:
    job = when(http, "running", upload(http, b"wait"))
    place = f"/jobs/{job['id']}"
    assert http.delete(place).get_json()["state"] == "cancelled"
    assert http.get(place).get_json()["state"] == "cancelled"
    ended = http.get(place).get_json()["finished_at"]
    assert ended >= job["created_at"]
    only_these_stay(root / job["id"], {"archive.json", "progress.json", "lock"})
    assert http.get(place).get_json()["state"] == "cancelled"
    assert http.get(place).get_json()["finished_at"] == ended
    assert http.get(place).get_json()["done"] == 7
    assert http.get(f"{place}/results").status_code == 409


def test_an_archive_that_is_cancelled_in_its_last_steps_goes_too(http: FlaskClient, root: Path) -> None:
    job = when(http, "running", upload(http, b"late", report="true"))
    place = f"/jobs/{job['id']}"
    assert http.delete(place).get_json()["state"] == "cancelled"
    only_these_stay(root / job["id"], {"archive.json", "progress.json", "lock"})
    assert http.get(place).get_json()["state"] == "cancelled"
    assert http.get(f"{place}/results").status_code == 409


def test_a_queued_archive_is_cancelled_without_a_runner(http: FlaskClient, root: Path) -> None:
    first = when(http, "running", upload(http, b"wait"))
    second = upload(http).get_json()["id"]
    assert http.delete(f"/jobs/{second}").get_json()["state"] == "cancelled"
    # By the supervisor, where it was just looking whether there is a slot for it.
    wait_for(lambda: not (root / second / "uploads").exists(), "the uploads' end")
    http.delete(f"/jobs/{first['id']}")


def test_a_finished_archive_is_deleted_as_a_whole(http: FlaskClient, root: Path) -> None:
    job = when(http, "done", upload(http))
    assert http.delete(f"/jobs/{job['id']}").status_code == 200
    assert http.get(f"/jobs/{job['id']}").status_code == 404
    assert http.delete(f"/jobs/{job['id']}").status_code == 404
    assert left(root) == []


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


def test_a_runner_that_only_waits_ends_with_the_time_of_its_archive(http: FlaskClient, root: Path) -> None:
    folder = Folder(root / upload(http, b"idle").get_json()["id"])
    wait_for(lambda: folder.starts().count, "the runner")
    folder.describe(replace(folder.description(), created_at=time.time() - 86_401))
    assert http.get(f"/jobs/{folder.id}").status_code == 404
    wait_for(lambda: left(root) == [], "the folder's end")


def test_the_same_key_with_the_same_body_is_the_same_archive(http: FlaskClient) -> None:
    first = upload(http, key="k", output="jsonl")
    assert upload(http, key="k", output="jsonl").headers["Location"] == first.headers["Location"]
    assert upload(http, key="other", output="jsonl").headers["Location"] != first.headers["Location"]
    assert upload(http, GOOD + b"x", key="k", output="jsonl").status_code == 409
    assert upload(http, key="k", output="csv").status_code == 409


def test_a_key_is_needed_where_keys_are_set(make_app: MakeApp) -> None:
    http = make_app(api_keys="secret").test_client()
    assert upload(http).status_code == 401
    some_id = f"archive-{'0' * 32}"
    assert http.get(f"/jobs/{some_id}").status_code == 401
    assert http.get(f"/jobs/{some_id}", headers={"X-API-Key": "secret"}).status_code == 404


@pytest.mark.parametrize(
    "job_id", ["archive-..%2f..%2fetc", "archive-" + "0" * 31 + "%2f", "archive-" + "G" * 32, "archive-%2e%2e"]
)
def test_an_id_is_never_a_path(http: FlaskClient, job_id: str) -> None:
    for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/results", f"/jobs/{job_id}/report"):
        assert http.get(path).status_code in (404, 308)


def test_a_full_disk_is_said_before_the_upload(http: FlaskClient, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    response = upload(http)
    assert response.status_code == 507
    assert detail(response)["error"] == "insufficient_storage"
    assert left(root) == []


def test_a_folder_that_cannot_be_written_is_said_without_its_path(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    response = upload(make_app(archive_dir=tmp_path / "taken").test_client())
    assert response.status_code == 500
    assert str(tmp_path) not in response.get_data(as_text=True)
    assert detail(response)["error"] == "unwritable_output"


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
        wait_for(lambda: (lock := folder.lock()) is not None and lock.close() is None, "the runner's death")
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
        wait_for(lambda: (lock := folder.lock()) is not None and lock.close() is None, "the runner's death")
    folder.note_progress(Progress(state="running", done=10))
    look_at_once(supervisor, folder)
    assert (folder.starts().count, folder.starts().done) == (1, 10)


def supervisor_with(root: Path, content: bytes) -> tuple[RunnerSupervisor, Folder]:
    """A supervisor without a thread, and an archive on its store."""
    store = ArchiveStore(root, 10, 60)
    with store.incoming() as incoming:
        (incoming.uploads / "file-1").write_bytes(content)
        folder = store.accept(incoming, Description(created_at=time.time(), names=["sms.csv"]))
    return RunnerSupervisor(settings_in(root), store, COMMAND), folder


def look_at_once(supervisor: RunnerSupervisor, folder: Folder) -> None:
    """One look, without the pause after a death."""
    folder.note_starts(replace(folder.starts(), at=0.0))
    supervisor.look()


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


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("sms.csv", "sms.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\sms.csv", "sms.csv"),
        ("a\r\nSet-Cookie: x=1.csv", "a Set-Cookie: x=1.csv"),
        ("\u202efdp.exe", "fdp.exe"),
        ("архив.csv", "архив.csv"),
        ("", "archive"),
        ("..", ".."),
        (None, "archive"),
        ("x" * 300, "x" * 100),
    ],
)
def test_names_are_fit_for_a_screen(given: str | None, shown: str) -> None:
    assert shown_name(given) == shown


@pytest.mark.parametrize(
    ("names", "output", "expected"),
    [
        (["sms.csv"], "csv", "sms.classified.csv"),
        (["sms.2026.11.csv.gz"], "parquet", "sms.2026.11.classified.parquet"),
        (["a.csv", "b.csv"], "sqlite", "archive.classified.sqlite"),
        ([".csv"], "csv", "archive.classified.csv"),
        ([".."], "jsonl", "archive.classified.jsonl"),
    ],
)
def test_a_result_is_named_after_its_file(names: list[str], output: str, expected: str) -> None:
    assert result_name(names, output) == expected


def test_a_runner_gets_the_settings_but_not_the_keys(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_API_KEYS", "secret")
    env = environment(settings_in(root, broker_url="redis://u:p@h/1", api_keys="secret", deduplicate=False))
    assert env["SLUICE_BROKER_URL"] == "redis://u:p@h/1"
    assert env["SLUICE_DEDUPLICATE"] == "false"
    assert "secret" not in " ".join(env.values())


def test_the_formats_are_those_that_can_be_read() -> None:
    schema = ArchiveRequest.model_json_schema()["properties"]["format"]["anyOf"][0]["enum"]
    assert tuple(schema) == NAMES


def test_archives_are_in_the_list_of_jobs(make_app: MakeApp, root: Path) -> None:
    http = make_app(api_keys="one,two").test_client()
    made = [
        http.post("/archives", data={"file": (io.BytesIO(GOOD), "sms.csv")}, headers={"X-API-Key": key})
        for key in ("one", "two", "one")
    ]
    ids = [response.get_json()["id"] for response in made]

    def listed(key: str) -> list[str]:
        return [row["id"] for row in http.get("/jobs", headers={"X-API-Key": key}).get_json()["jobs"]]

    assert listed("one") == [ids[2], ids[0], "job-1"]  # what the gateway has is older
    assert listed("two") == [ids[1], "job-1"]
    first = http.get("/jobs?limit=1", headers={"X-API-Key": "one"}).get_json()
    assert [row["id"] for row in first["jobs"]] == [ids[2]]
    rest = http.get(first["next"], headers={"X-API-Key": "one"}).get_json()
    assert [row["id"] for row in rest["jobs"]] == [ids[0]]
    last = http.get(rest["next"], headers={"X-API-Key": "one"}).get_json()
    assert ([row["id"] for row in last["jobs"]], last["next"]) == (["job-1"], None)
