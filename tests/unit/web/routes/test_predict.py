"""``POST /predict/``, on a gateway that answers by itself."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from sluice.config.settings import read
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable, QueueFull
from sluice.tasks.wire.entry import Entry, failure, fault_of
from sluice.web.app import create_app
from tests.unit.web.fake_gateway import FakeGateway
from tests.unit.web.refusal import refusal

SECRET_TEXT = "meet me at the old mill"


@pytest.mark.parametrize("path", ["/predict/", "/predict"])
def test_the_answer_has_opentextshield_s_shape(client: FlaskClient, path: str) -> None:
    response = client.post(path, json={"text": "you win"})
    assert response.status_code == 200
    body = response.get_json()
    assert list(body) == ["label", "probability", "processing_time", "model_info"]
    assert (body["label"], body["probability"]) == ("spam", 0.75)
    assert 0 <= body["processing_time"] < 5
    assert list(body["model_info"]) == ["name", "version", "architecture", "author", "last_training"]
    assert body["model_info"]["version"] == "7"


def test_flask_answers_what_the_hot_path_leaves(client: FlaskClient, fake: FakeGateway) -> None:
    response = client.post("/predict/", data=b'{"text": "hi"}', content_type="application/problem+json")
    assert response.status_code == 200
    assert response.get_json()["label"] == "spam"


@pytest.mark.parametrize(
    ("body", "field", "limit"),
    [
        ({}, "text", None),
        ({"text": ""}, "text", 1),
        ({"text": " \t\n "}, "text", 1),
        ({"text": "x" * 101}, "text", 100),
        ({"text": 5}, "text", None),
        ({"text": None}, "text", None),
        ({"text": ["x"]}, "text", None),
        ({"text": "x", "model": 5}, "model", None),
        ({"text": "x", "mode": "y"}, "mode", None),
        ({"text": "x", "scores": 1}, "scores", None),
        ({"text": "x", "scores": None}, "scores", None),
        ([], "body", None),
        ("x", "body", None),
    ],
)
def test_what_is_wrong_is_named(client: FlaskClient, body: Any, field: str, limit: int | None) -> None:
    details = refusal(client.post("/predict/", json=body), 422, "invalid_input")["details"]
    assert details["field"] == field
    assert details.get("limit") == limit
    assert details["problems"][0]["field"] == field


def test_null_is_no_object(client: FlaskClient) -> None:
    response = client.post("/predict/", data=b"null", content_type="application/json")
    assert refusal(response, 422, "invalid_input")["details"]["field"] == "body"


def test_several_problems_are_listed(client: FlaskClient) -> None:
    details = refusal(client.post("/predict/", json={"text": 1, "model": 2, "x": 3}), 422, "invalid_input")["details"]
    assert [one["field"] for one in details["problems"]] == ["text", "model", "x"]


@pytest.mark.parametrize("body", [b'{"text":', b"", b"\xff\xfe", b'{"text": "\xff"}', b'{"text": "a"} x', b"[" * 9999])
def test_what_is_not_json_is_400(client: FlaskClient, body: bytes) -> None:
    refusal(client.post("/predict/", data=body, content_type="application/json"), 400, "bad_request")


def test_half_a_surrogate_pair_is_422(client: FlaskClient) -> None:
    response = client.post("/predict/", data=rb'{"text": "\ud800"}', content_type="application/json")
    assert refusal(response, 422, "invalid_input")["details"]["field"] == "text"


def test_a_number_that_json_does_not_know_is_answered(client: FlaskClient) -> None:
    response = client.post("/predict/", data=b'{"text": NaN}', content_type="application/json")
    assert response.status_code in (400, 422)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
def test_another_content_type_is_415(client: FlaskClient, kind: str | None) -> None:
    response = client.post("/predict/", data=b'{"text": "x"}', content_type=kind)
    assert refusal(response, 415, "unsupported_media_type")["details"]["accepted"] == ["application/json"]


def test_a_large_body_is_413_and_names_the_limit(client: FlaskClient) -> None:
    response = client.post("/predict/", json={"text": "x" * 30_000})
    assert refusal(response, 413, "too_large")["details"]["limit"] == 20_000


@pytest.mark.parametrize(("size", "status"), [(20_000, 200), (20_001, 413), (400_000, 413)])
@pytest.mark.parametrize("declared", [True, False])
def test_the_limit_is_exact_with_and_without_a_declared_length(
    client: FlaskClient, size: int, status: int, declared: bool
) -> None:
    text = b'{"text": "x"}'
    body = text + b" " * (size - len(text))
    options: dict[str, Any] = {"data": body}
    if not declared:
        options = {"input_stream": BytesIO(body), "headers": {"Transfer-Encoding": "chunked"}}
        options["environ_overrides"] = {"wsgi.input_terminated": True}
    response = client.post("/predict/", content_type="application/json", **options)
    assert response.status_code == status


def test_no_text_comes_back_in_an_error(client: FlaskClient) -> None:
    bodies = [
        json.dumps({"text": SECRET_TEXT * 20}),
        json.dumps({"text": 5, SECRET_TEXT: 1}),
        json.dumps({"text": [SECRET_TEXT]}),
        json.dumps({"text": "x", "model": SECRET_TEXT}),
        json.dumps(SECRET_TEXT),
        '{"text": "' + SECRET_TEXT,
    ]
    for body in bodies:
        response = client.post("/predict/", data=body, content_type="application/json")
        assert response.status_code >= 400
        assert SECRET_TEXT not in response.get_data(as_text=True)


def test_a_served_model_may_be_named(client: FlaskClient) -> None:
    assert client.post("/predict/", json={"text": "x", "model": "fake"}).status_code == 200
    assert client.post("/predict/", json={"text": "x", "model": "ots-mbert"}).status_code == 200


def test_another_model_is_422_and_the_served_ones_are_named(client: FlaskClient) -> None:
    details = refusal(client.post("/predict/", json={"text": "x", "model": "other"}), 422, "invalid_input")["details"]
    assert details["field"] == "model"
    assert details["available"] == ["ots-mbert", "fake"]


def test_a_model_nobody_can_vouch_for_is_503(client: FlaskClient, fake: FakeGateway) -> None:
    fake.alive = []
    response = client.post("/predict/", json={"text": "x", "model": "other"})
    refusal(response, 503, "model_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert client.post("/predict/", json={"text": "x", "model": "ots-mbert"}).status_code == 200


def test_a_late_answer_is_202_with_a_place(client: FlaskClient, fake: FakeGateway) -> None:
    fake.late = True
    response = client.post("/predict/", json={"text": "x"}, headers={"Prefer": "wait=0"})
    assert response.status_code == 202
    assert response.headers["Location"] == "/jobs/env.token"
    assert response.headers["Preference-Applied"] == "wait=0"
    assert response.get_json()["state"] == "queued"
    assert fake.asked == [("classify", "x", 0.0)]


def test_without_prefer_the_setting_holds(client: FlaskClient, fake: FakeGateway) -> None:
    response = client.post("/predict/", json={"text": "x"})
    assert "Preference-Applied" not in response.headers
    assert fake.asked == [("classify", "x", 10.0)]


@pytest.mark.parametrize(
    ("entry", "status"),
    [
        (failure("t", "model_failed", "the model failed"), 500),
        (failure("t", "invalid_input", "text has no words"), 422),
        (failure("t", "revoked", "cancelled"), 410),
        (failure("t", "something_new", "no idea"), 500),
    ],
)
def test_the_message_s_own_error_is_the_answer(
    client: FlaskClient, fake: FakeGateway, entry: Entry, status: int
) -> None:
    fake.entry = entry
    response = client.post("/predict/", json={"text": "x"})
    assert response.status_code == status
    assert response.get_json()["detail"]["message"] == fault_of(entry)["message"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (QueueFull("full", {"limit": 5}, retry_after_s=7.2), 429),
        (BrokerUnavailable("away", retry_after_s=2), 503),
        (BackendUnavailable("away", retry_after_s=0.1), 503),
    ],
)
@pytest.mark.parametrize("path", ["/predict/", "/jobs"])
def test_a_full_or_missing_queue_says_when_to_come_back(
    client: FlaskClient, fake: FakeGateway, error: Exception, status: int, path: str
) -> None:
    fake.error = error
    response = client.post(path, json={"text": "x"} if path == "/predict/" else {"texts": ["x"]})
    assert response.status_code == status
    assert int(response.headers["Retry-After"]) >= 1


def test_an_error_of_ours_shows_nothing_and_logs_no_text(
    client: FlaskClient, fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    fake.error = RuntimeError(f"could not handle {SECRET_TEXT}")
    for path, body in (("/predict/", {"text": "x"}), ("/jobs", {"texts": ["x"]})):
        response = client.post(path, json=body)
        refusal(response, 500, "internal_error")
        assert "Traceback" not in response.get_data(as_text=True)
    assert "RuntimeError" in caplog.text
    assert SECRET_TEXT not in caplog.text


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_another_method_is_405(client: FlaskClient, method: str) -> None:
    response = getattr(client, method)("/predict/")
    refusal(response, 405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]


def test_an_unknown_address_is_404(client: FlaskClient) -> None:
    refusal(client.get("/nothing/here"), 404, "not_found")


class TestKeys:
    @pytest.fixture
    def client(self, fake: FakeGateway) -> FlaskClient:
        settings = read(_env_file=None, api_keys="first-key, second-key")
        return create_app(settings, fake).test_client()

    @pytest.mark.parametrize(
        "headers",
        [{}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic first-key"}],
    )
    def test_without_a_known_key_it_is_401(
        self, client: FlaskClient, fake: FakeGateway, headers: dict[str, str]
    ) -> None:
        for path, body in (("/predict/", {"text": "x"}), ("/predict/", {"text": 1}), ("/jobs", {"texts": ["x"]})):
            response = client.post(path, json=body, headers=headers)
            refusal(response, 401, "unauthorized")
            assert "WWW-Authenticate" in response.headers
        assert client.get("/jobs/job-1", headers=headers).status_code == 401
        assert client.get("/stats", headers=headers).status_code == 401
        assert fake.asked == []

    @pytest.mark.parametrize(
        "headers",
        [{"X-API-Key": "first-key"}, {"X-API-Key": "second-key"}, {"Authorization": "bearer second-key"}],
    )
    def test_with_a_known_key_it_passes(self, client: FlaskClient, headers: dict[str, str]) -> None:
        assert client.post("/predict/", json={"text": "x"}, headers=headers).status_code == 200
        assert client.get("/jobs/job-1", headers=headers).status_code == 200

    def test_health_and_docs_need_none(self, client: FlaskClient) -> None:
        for path in ("/health", "/healthz", "/readyz", "/docs", "/", "/openapi.json"):
            assert client.get(path).status_code == 200
