"""Archives that are taken in, examined and cancelled."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sluice.harness.process import wait_for
from tests.unit.web.archives.uploads import (
    detail,
    left,
    only_these_stay,
    upload,
    when,
)


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


def test_an_archive_may_go_while_its_report_is_made(http: FlaskClient, root: Path) -> None:
    job = when(http, "done", upload(http, b"report", report="true"))
    assert http.delete(f"/jobs/{job['id']}").status_code == 200
    assert http.get(f"/jobs/{job['id']}").status_code == 404


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
