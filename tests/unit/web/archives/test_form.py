"""Forms as they are received: what is taken, and what is refused before anything is kept."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from sluice.web.archives import form
from tests.unit.web.archives.uploads import (
    GOOD,
    detail,
    left,
    upload,
)


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


def test_a_full_disk_is_said_before_the_upload(http: FlaskClient, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    response = upload(http)
    assert response.status_code == 507
    assert detail(response)["error"] == "insufficient_storage"
    assert left(root) == []
