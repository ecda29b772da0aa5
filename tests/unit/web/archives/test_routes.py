"""What the addresses of an archive answer."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sluice.backfill.archive.folder import REPORTING
from sluice.web.archives import routes
from tests.unit.web.archives.uploads import (
    GOOD,
    MakeApp,
    detail,
    only_these_stay,
    upload,
    when,
)


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


def test_a_report_that_was_not_asked_for_is_not_found(http: FlaskClient) -> None:
    job = when(http, "done", upload(http))
    assert job["report"] is None
    assert http.get(f"/jobs/{job['id']}/report").status_code == 404


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
