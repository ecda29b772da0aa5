"""The service from HTTP to the shipped model and back, on both brokers."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sluice.config.settings import SMALL_MODEL, read
from sluice.harness.process import ROOT, wait_for
from sluice.harness.service import running
from sluice.harness.web import Web
from sluice.harness.worker import client_app
from sluice.worker.model.loader import load
from sluice.worker.model.precision import NAMES
from tests.conftest import Brokers
from tests.contract import answers, default_document

REQUESTS, CONNECTIONS = 2000, 64
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def env(brokers: Brokers) -> dict[str, str]:
    return brokers.env(model=SMALL_MODEL, max_text_chars=2000, max_body_bytes=1_000_000)


@pytest.fixture(scope="module")
def web(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with running(tmp_path_factory.mktemp("service"), env) as front:
        yield front


@pytest.fixture(scope="module")
def texts() -> list[str]:
    with (ROOT / "samples" / "archive.csv").open(encoding="utf-8", newline="") as rows:
        return [row["text"] for row in csv.DictReader(rows)][:REQUESTS]


@pytest.fixture(scope="module")
def alone(web: Web, texts: list[str]) -> list[tuple[str, float]]:
    """What the model says to each text by itself, in this process, in the precision that the worker has chosen."""
    import torch

    torch.set_num_threads(1)
    (worker,) = web.ask("GET", "/stats").json["workers"]
    (precision,) = (setting for setting, name in NAMES.items() if name == worker["precision"])
    model = load(read(model=str(SMALL_MODEL), precision=precision))
    answers = []
    for ids in model.encode(texts):
        (row,) = model.forward([ids])
        answers.append((model.labels[row.index(max(row))], max(row)))
    return answers


def test_2000_requests_at_64_connections_equal_the_model_alone(
    web: Web, texts: list[str], alone: list[tuple[str, float]]
) -> None:
    replies = web.predict_all(texts, CONNECTIONS)
    assert [reply.status for reply in replies] == [200] * REQUESTS
    answers = [reply.json for reply in replies]
    assert [answer["label"] for answer in answers] == [label for label, _ in alone]
    worst = max(abs(answer["probability"] - known) for answer, (_, known) in zip(answers, alone, strict=True))
    assert worst < TOLERANCE
    stats = web.ask("GET", "/stats").json
    assert stats  # and it coalesced:
    assert web.ask("GET", "/health").status == 200


def test_predict_answers_in_the_agreed_shape(web: Web) -> None:
    reply = web.ask("POST", "/predict/", {"text": "Are we still on for lunch?", "model": "ots-mbert"})
    assert reply.status == 200
    assert set(reply.json) == {"label", "probability", "processing_time", "model_info"}
    assert set(reply.json["model_info"]) == {"name", "version", "architecture", "author", "last_training"}


def test_a_job_is_submitted_polled_and_fetched_in_order(web: Web, texts: list[str]) -> None:
    messages = [{"id": f"m{i}", "text": text} for i, text in enumerate(texts[:600])] + [{"id": "odd", "text": "x"}]
    reply = web.ask("POST", "/jobs", {"messages": messages})
    assert reply.status == 202
    location = reply.headers["location"]
    job = wait_for(lambda: done(web, location), "the job")
    assert (job["state"], job["total"], job["failed"]) == ("done", 601, 0)
    page = web.ask("GET", f"{location}/results", accept="application/x-ndjson").body.decode().splitlines()
    assert len(page) == 601
    assert '"odd"' in page[-1]


def done(web: Web, location: str) -> dict[str, Any] | None:
    job = web.ask("GET", location).json
    return job if job["state"] in ("done", "failed", "cancelled") else None


def test_a_job_can_be_waited_for(web: Web) -> None:
    reply = web.ask("POST", "/jobs", {"texts": ["one", "two"]}, prefer="wait=20")
    assert reply.status == 200
    assert len(reply.json["results"]) == 2


def test_scores_come_to_those_who_ask(web: Web) -> None:
    plain = web.ask("POST", "/predict/", {"text": "Your parcel is held", "scores": False}).json
    full = web.ask("POST", "/predict/", {"text": "Your parcel is held", "scores": True}).json
    assert "scores" not in plain
    assert full["scores"][full["label"]] == full["probability"]
    assert abs(sum(full["scores"].values()) - 1) < TOLERANCE
    job = web.ask("POST", "/jobs", {"texts": ["one", "", "two"], "scores": True}, prefer="wait=20").json
    assert [set(one.get("scores", {})) for one in job["results"]] == [set(full["scores"]), set(), set(full["scores"])]
    lines = web.ask("GET", f"/jobs/{job['id']}/results", accept="application/x-ndjson").body.decode().splitlines()
    assert [json.loads(line) for line in lines] == job["results"]
    page = web.ask("GET", f"/jobs/{job['id']}/results?offset=2").json
    assert page["results"] == job["results"][2:]


def test_scores_are_there_later_too(web: Web) -> None:
    for wanted in (True, False):
        reply = web.ask("POST", "/predict/", {"text": "Your parcel is held", "scores": wanted}, prefer="respond-async")
        location = reply.headers["location"]
        wait_for(lambda at=location: done(web, at), "the message")  # type: ignore[misc]
        (entry,) = web.ask("GET", f"{location}/results").json["results"]
        assert ("scores" in entry) is wanted


def test_the_same_key_asks_for_the_same_scores(web: Web) -> None:
    def submit(**more: Any) -> Any:
        return web.ask("POST", "/jobs", {"texts": ["hi"], **more}, idempotency_key="scores")

    first = submit()
    assert submit(scores=False).headers["location"] == first.headers["location"]
    assert submit(scores=True).status == 409


def test_callers_of_one_envelope_get_what_each_asked_for(web: Web) -> None:
    with ThreadPoolExecutor(32) as pool:
        bodies = [{"text": f"message {i}", "scores": bool(i % 2)} for i in range(200)]
        replies = list(pool.map(lambda body: web.ask("POST", "/predict/", body).json, bodies))
    assert ["scores" in reply for reply in replies] == [body["scores"] for body in bodies]


HALF_A_PAIR = b'{"texts": ["see you at 8", "half an emoji \\ud83d", "You won a prize, call now", ""]}'


def test_half_a_surrogate_pair_spoils_only_its_own_message(web: Web) -> None:
    reply = web.ask("POST", "/jobs", HALF_A_PAIR, prefer="wait=20", content_type="application/json")
    assert reply.status == 200
    results = reply.json["results"]
    assert ["label" in one for one in results] == [True, False, True, False]
    assert results[1]["error"] == {
        "code": "invalid_input",
        "message": "texts[1] holds half a surrogate pair, which is no character",
    }
    assert results[3]["error"]["message"] == "texts[3] must not be empty or blank"


def test_errors_name_the_message_s_place_in_the_job(web: Web) -> None:
    texts = ["fine"] * 300 + [""]
    results = web.ask("POST", "/jobs", {"texts": texts}, prefer="wait=30").json["results"]
    assert results[300]["error"]["message"] == "texts[300] must not be empty or blank"
    messages = [{"id": f"m{i}", "text": text} for i, text in enumerate(texts)]
    results = web.ask("POST", "/jobs", {"messages": messages}, prefer="wait=30").json["results"]
    assert results[300]["error"]["message"] == "messages[300].text must not be empty or blank"


def test_half_a_pair_of_a_plain_client_is_that_text_s_error(web: Web, env: dict[str, str]) -> None:
    app = client_app(env)
    texts = ["see you at 8", "half an emoji \ud83d", {"id": "\ud83d", "text": "x"}, "You won a prize"]
    entries = app.tasks["tasks.classify"].delay(texts).get(timeout=20)
    assert ["label" in one for one in entries] == [True, False, False, True]


BAD = [
    ({"text": ""}, 422, "text"),
    ({"text": " \n\t"}, 422, "text"),
    ({"text": "x" * 2001}, 422, "2000"),
    ({"text": 5}, 422, "text"),
    ({"text": None}, 422, "text"),
    ({}, 422, "text"),
    ([], 422, ""),
    ({"text": "x", "model": "nope"}, 422, "model"),
    (b"{not json", 400, ""),
    (b"\xff\xfe\x00", 400, ""),
    (b'{"text": "' + b"a" * 10_000_000 + b'"}', 413, "1000000"),
]


@pytest.mark.parametrize(("body", "status", "named"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_bad_input_gets_the_right_status_field_and_limit(web: Web, body: Any, status: int, named: str) -> None:
    headers = {"content_type": "application/json"}
    reply = web.ask("POST", "/predict/", body, **headers)
    assert reply.status == status, reply.body[:300]
    detail = reply.json["detail"]
    assert set(detail) == {"error", "message", "details", "timestamp"}
    assert named in str(detail)


def test_other_wrong_requests(web: Web) -> None:
    assert web.ask("POST", "/predict/", b"text=hi", content_type="application/x-www-form-urlencoded").status == 415
    assert web.ask("GET", "/jobs/00000000-0000-4000-8000-000000000000").status == 404
    assert web.ask("GET", "/nowhere").status == 404
    assert web.ask("DELETE", "/predict/").status == 405
    assert web.ask("POST", "/jobs", {"texts": []}).status == 422
    assert web.ask("POST", "/jobs", {"texts": ["ok", ""]}).status in (202, 422)


def test_openapi_and_its_browser_are_served_locally(web: Web) -> None:
    document = web.ask("GET", "/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert answers(document) == answers(default_document())
    assert {"/predict/", "/jobs", "/healthz"} <= set(document["paths"])
    page = web.ask("GET", "/docs").body.decode()
    assert "http://" not in page.replace("http://127.0.0.1", "")
    assert "https://" not in page
