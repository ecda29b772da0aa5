"""Verdicts over HTTP, and what is answered while there are none, on a gateway that answers by itself."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask.testing import FlaskClient

from sluice.config.settings import read
from sluice.tasks.errors import (
    BackendUnavailable,
    BrokerUnavailable,
    ModelUnavailable,
    QueueFull,
    SluiceError,
)
from sluice.tasks.wire.entry import failure
from sluice.web.app import create_app
from tests.unit.web.fake_gateway import FakeGateway
from tests.unit.web.refusal import refusal

ASKING = {"text": "you win", "verdict": True}
OUTAGES: list[tuple[SluiceError, int]] = [
    (BrokerUnavailable("the broker of SLUICE_BROKER_URL is away", retry_after_s=2), 503),
    (BackendUnavailable("the result backend is away", retry_after_s=2), 503),
    (ModelUnavailable("no worker is alive to serve this model", retry_after_s=5), 503),
    (QueueFull("1000 messages wait", {"limit": 1000}, retry_after_s=9), 429),
]


def front(fake: FakeGateway, **settings: object) -> FlaskClient:
    return create_app(read(_env_file=None, **settings), fake).test_client()


def test_a_verdict_and_its_rule_come_to_those_who_ask(client: FlaskClient) -> None:
    body = client.post("/predict/", json=ASKING).get_json()
    assert list(body) == ["label", "probability", "processing_time", "model_info", "verdict", "rule"]
    assert (body["label"], body["probability"]) == ("spam", 0.75)
    assert (body["verdict"], body["rule"]) == ("flag", "spam >= 0.5")
    for plain in ({"text": "you win"}, {"text": "you win", "verdict": False}):
        assert list(client.post("/predict/", json=plain).get_json()) == list(body)[:4]
    both = client.post("/predict/", json={**ASKING, "scores": True}).get_json()
    assert list(both)[4:] == ["scores", "verdict", "rule"]


def test_the_setting_asks_for_everybody(fake: FakeGateway) -> None:
    client = front(fake, verdict=True)
    assert client.post("/predict/", json={"text": "you win", "verdict": False}).get_json()["verdict"] == "flag"
    assert client.post("/jobs", json={"texts": ["x"]}).status_code == 202
    assert fake.asked[-1][-1] == "verdict"


def test_without_thresholds_who_asks_gets_an_error_that_names_the_model(client: FlaskClient, fake: FakeGateway) -> None:
    fake.judged = {"verdict": None, "rule": "fake 7 has no thresholds"}
    detail = refusal(client.post("/predict/", json=ASKING), 422, "invalid_input")
    assert detail["message"].startswith("the model fake 7 has no thresholds")
    assert detail["details"] == {"field": "verdict", "model": "fake 7"}
    # Others get what there is.
    assert "verdict" not in client.post("/predict/", json={"text": "x"}).get_json()
    assert "verdict" not in front(fake, verdict=True).post("/predict/", json={"text": "x"}).get_json()


def test_a_worker_of_an_earlier_release_gives_no_verdict(client: FlaskClient, fake: FakeGateway) -> None:
    fake.judged = {}
    response = client.post("/predict/", json=ASKING)
    assert "earlier release" in refusal(response, 503, "model_unavailable")["message"]
    assert response.headers["Retry-After"] == "5"
    answer = front(fake, verdict=True).post("/predict/", json={"text": "x"}).get_json()
    assert answer["label"] == "spam"
    assert "verdict" not in answer


@pytest.mark.parametrize(
    ("verdicts", "status", "code"),
    [({"verdicts": None}, 422, "invalid_input"), ({}, 503, "model_unavailable")],
    ids=["no thresholds", "earlier release"],
)
def test_a_job_for_verdicts_that_nobody_gives_is_refused(
    client: FlaskClient, fake: FakeGateway, verdicts: dict[str, Any], status: int, code: str
) -> None:
    (worker,) = fake.alive
    worker.pop("verdicts")
    fake.alive = [{**worker, **verdicts}]
    job = {"texts": ["one"], "verdict": True}
    assert refusal(client.post("/jobs", json=job), status, code)["details"]["field"] == "verdict"
    assert not fake.asked
    assert client.post("/jobs", json={**job, "verdict": False}).status_code == 202
    fake.alive = []  # who comes may give them
    assert client.post("/jobs", json=job).status_code == 202


@pytest.mark.parametrize("value", ["yes", 1, None, "allow"])
def test_a_wish_that_is_neither_true_nor_false_is_422(client: FlaskClient, value: object) -> None:
    for path, body in (("/predict/", {"text": "x"}), ("/jobs", {"texts": ["x"]})):
        response = client.post(path, json={**body, "verdict": value})
        assert refusal(response, 422, "invalid_input")["details"]["field"] == "verdict"


@pytest.mark.parametrize(("error", "status"), OUTAGES, ids=lambda one: getattr(one, "code", ""))
def test_an_outage_is_an_error_unless_the_deployment_lets_messages_pass(
    fake: FakeGateway, error: SluiceError, status: int
) -> None:
    fake.error = error
    refusal(front(fake).post("/predict/", json=ASKING), status, error.code)
    response = front(fake, on_outage="allow").post("/predict/", json=ASKING)
    assert response.status_code == 200
    body = response.get_json()
    assert list(body) == ["verdict", "rule", "degraded", "reason", "message", "result", "processing_time"]
    assert (body["verdict"], body["rule"], body["degraded"]) == ("allow", "on_outage = allow", True)
    assert (body["reason"], body["message"], body["result"]) == (error.code, error.message, None)
    assert response.headers["X-Degraded"] == error.code


def test_a_wait_that_runs_out_is_a_202_unless_the_deployment_lets_messages_pass(fake: FakeGateway) -> None:
    fake.late = True
    prefer = {"Prefer": "wait=2"}
    assert front(fake).post("/predict/", json=ASKING, headers=prefer).status_code == 202
    response = front(fake, on_outage="allow").post("/predict/", json=ASKING, headers=prefer)
    assert response.status_code == 200
    body = response.get_json()
    assert (body["verdict"], body["degraded"], body["reason"]) == ("allow", True, "timeout")
    assert body["message"] == "there was no answer within 2 s"
    assert body["result"] == "/jobs/env.token"
    assert response.headers["X-Degraded"] == "timeout"
    assert response.headers["Preference-Applied"] == "wait=2"
    assert "Location" not in response.headers


@pytest.mark.parametrize("prefer", ["respond-async", "wait=0"])
def test_who_does_not_wait_gets_the_202(fake: FakeGateway, prefer: str) -> None:
    fake.late = True
    response = front(fake, on_outage="allow").post("/predict/", json=ASKING, headers={"Prefer": prefer})
    assert response.status_code == 202


def test_who_wants_no_verdict_gets_the_error(fake: FakeGateway) -> None:
    client = front(fake, on_outage="allow")
    fake.error = QueueFull("full", {"limit": 1}, retry_after_s=1)
    refusal(client.post("/predict/", json={"text": "x"}), 429, "queue_full")
    refusal(
        client.post("/jobs", json={"texts": ["x"], "verdict": True}, headers={"Prefer": "wait=5"}), 429, "queue_full"
    )
    always = front(fake, on_outage="allow", verdict=True)
    assert always.post("/predict/", json={"text": "x"}).get_json()["degraded"] is True


def test_what_is_wrong_with_the_message_stays_an_error(fake: FakeGateway) -> None:
    client = front(fake, on_outage="allow", api_keys="k1", verdict=True)
    key = {"X-API-Key": "k1"}
    refusal(client.post("/predict/", json=ASKING), 401, "unauthorized")
    refusal(client.post("/predict/", data=b"{", content_type="application/json", headers=key), 400, "bad_request")
    refusal(client.post("/predict/", json={"text": ""}, headers=key), 422, "invalid_input")
    refusal(client.post("/predict/", json={"text": "x", "model": "other"}, headers=key), 422, "invalid_input")
    fake.entry = failure(None, "model_failed", "the model failed on this message")
    refusal(client.post("/predict/", json=ASKING, headers=key), 500, "model_failed")
    fake.error = RuntimeError("a mistake of ours")
    refusal(client.post("/predict/", json=ASKING, headers=key), 500, "internal_error")


def test_an_answer_in_time_is_not_degraded(fake: FakeGateway) -> None:
    response = front(fake, on_outage="allow").post("/predict/", json=ASKING)
    assert response.get_json()["verdict"] == "flag"
    assert "degraded" not in response.get_json()
    assert "X-Degraded" not in response.headers


def test_degraded_answers_are_counted_and_told_now_and_then(
    fake: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    client = front(fake, on_outage="allow")
    fake.error = QueueFull("full", {"limit": 1}, retry_after_s=1)
    with caplog.at_level(logging.WARNING, "sluice.web.routes.degraded"):
        for _ in range(3):
            client.post("/predict/", json=ASKING)
        fake.error = BrokerUnavailable("away", retry_after_s=1)
        client.post("/predict/", json=ASKING)
    assert client.get("/stats").get_json()["degraded"] == {"queue_full": 3, "broker_unavailable": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "SLUICE_ON_OUTAGE=allow: 1 answered allow without the model (queue_full): full",
        "SLUICE_ON_OUTAGE=allow: 1 answered allow without the model (broker_unavailable): away",
    ]


def test_the_document_knows_both_answers(client: FlaskClient) -> None:
    document = client.get("/openapi.json").get_json()
    answer = document["paths"]["/predict/"]["post"]["responses"]["200"]
    names = [one["$ref"].rpartition("/")[2] for one in answer["content"]["application/json"]["schema"]["anyOf"]]
    assert names == ["PredictResponse", "DegradedResponse"]
    assert "X-Degraded" in answer["headers"]
    assert {"label", "probability"} & set(document["components"]["schemas"]["DegradedResponse"]["properties"]) == set()
    for name in ("PredictRequest", "JobRequest", "ArchiveRequest"):
        assert "verdict" in document["components"]["schemas"][name]["properties"]
    for name in ("PredictResponse", "ResultEntry"):
        assert {"verdict", "rule"} <= set(document["components"]["schemas"][name]["properties"])
