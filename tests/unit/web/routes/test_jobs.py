"""``/jobs``, on a gateway that answers by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from sluice.config.settings import read
from sluice.web.app import create_app
from tests.unit.web.fake_gateway import FakeGateway
from tests.unit.web.refusal import refusal


def test_a_job_is_accepted_with_its_place(client: FlaskClient, fake: FakeGateway) -> None:
    response = client.post("/jobs", json={"texts": ["a", "b"]})
    assert response.status_code == 202
    assert response.headers["Location"] == "/jobs/job-1"
    body = response.get_json()
    assert list(body) == ["id", "state", "total", "done", "failed", "created_at", "finished_at"]
    assert (body["state"], body["total"], body["finished_at"]) == ("queued", 2, None)
    assert body["created_at"].endswith("Z")
    assert fake.asked == [("submit_job", ["a", "b"], "interactive", 0, None)]


def test_messages_keep_their_ids(client: FlaskClient, fake: FakeGateway) -> None:
    client.post("/jobs", json={"messages": [{"id": "m1", "text": "a"}, {"id": "m2", "text": "b"}]})
    assert fake.asked[0][1] == [{"id": "m1", "text": "a"}, {"id": "m2", "text": "b"}]


@pytest.mark.parametrize(
    ("count", "lane", "expected"), [(256, None, "interactive"), (257, None, "bulk"), (1, "bulk", "bulk")]
)
def test_the_lane_follows_the_size_unless_set(fake: FakeGateway, count: int, lane: str | None, expected: str) -> None:
    client = create_app(read(_env_file=None), fake).test_client()
    client.post("/jobs", json={"texts": ["x"] * count, "lane": lane})
    assert fake.asked[0][2] == expected


def test_one_bad_text_among_good_ones_is_accepted(client: FlaskClient) -> None:
    assert client.post("/jobs", json={"texts": ["good", "", "x" * 101]}).status_code == 202


@pytest.mark.parametrize(
    ("body", "field", "limit"),
    [
        ({}, "body", None),
        ({"texts": ["x"], "messages": [{"id": "a", "text": "x"}]}, "body", None),
        ({"texts": []}, "texts", 1),
        ({"messages": []}, "messages", 1),
        ({"texts": ["x"] * 51}, "texts", 50),
        ({"texts": "x"}, "texts", None),
        ({"texts": ["x", 5]}, "texts[1]", None),
        ({"texts": [" ", ""]}, "texts[0]", 1),
        ({"messages": [{"id": "a", "text": "x" * 101}]}, "messages[0].text", 100),
        ({"messages": [{"text": "x"}]}, "messages[0].id", None),
        ({"messages": [{"id": 7, "text": "x"}]}, "messages[0].id", None),
        ({"messages": [{"id": "", "text": "x"}]}, "messages[0].id", 1),
        ({"messages": [{"id": "i" * 201, "text": "x"}]}, "messages[0].id", 200),
        ({"messages": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}, "messages[1].id", None),
        ({"texts": ["x"], "lane": "fast"}, "lane", None),
        ({"texts": ["x"], "extra": 1}, "extra", None),
        ([], "body", None),
    ],
)
def test_what_is_wrong_is_named(client: FlaskClient, body: Any, field: str, limit: int | None) -> None:
    details = refusal(client.post("/jobs", json=body), 422, "invalid_input")["details"]
    assert details["field"] == field
    assert details.get("limit") == limit


def test_many_problems_are_counted_and_some_listed(client: FlaskClient) -> None:
    details = refusal(client.post("/jobs", json={"texts": [1] * 40}), 422, "invalid_input")["details"]
    assert len(details["problems"]) == 20
    assert details["problem_count"] == 40


def test_waiting_gives_the_results(client: FlaskClient, fake: FakeGateway) -> None:
    response = client.post("/jobs", json={"texts": ["a", "b"]}, headers={"Prefer": "wait=3"})
    assert response.status_code == 200
    assert response.headers["Preference-Applied"] == "wait=3"
    body = response.get_json()
    assert [one["label"] for one in body["results"]] == ["ham", "spam"]
    assert (body["state"], body["done"], body["next"]) == ("done", 2, None)
    assert fake.asked[0][3] == 3.0


def test_waiting_in_vain_gives_202(client: FlaskClient, fake: FakeGateway) -> None:
    fake.late = True
    assert client.post("/jobs", json={"texts": ["a"]}, headers={"Prefer": "wait=1"}).status_code == 202


def test_an_idempotency_key_depends_on_key_and_body_only(client: FlaskClient, fake: FakeGateway) -> None:
    def idempotency(key: str, body: dict[str, Any], api_key: str = "") -> tuple[str, str]:
        client.post("/jobs", json=body, headers={"Idempotency-Key": key, "X-API-Key": api_key})
        found = fake.asked[-1][4]
        return found.digest, found.body

    first = idempotency("k", {"texts": ["a"]})
    assert idempotency("k", {"texts": ["a"]}) == first
    assert idempotency("k", {"texts": ["b"]})[0] == first[0]
    assert idempotency("k", {"texts": ["b"]})[1] != first[1]
    assert idempotency("other", {"texts": ["a"]})[0] != first[0]
    assert idempotency("k", {"texts": ["a"]}, "another-caller")[0] != first[0]


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_impossible_idempotency_key_is_400(client: FlaskClient, key: str) -> None:
    response = client.post("/jobs", json={"texts": ["a"]}, headers={"Idempotency-Key": key})
    assert refusal(response, 400, "bad_request")["details"]["limit"] == 255


def test_the_state_of_a_job(client: FlaskClient) -> None:
    assert client.get("/jobs/job-1").get_json() == {
        "id": "job-1",
        "state": "done",
        "total": 2,
        "done": 2,
        "failed": 0,
        "created_at": "2023-11-14T22:13:20.000000Z",
        "finished_at": "2023-11-14T22:13:21.500000Z",
    }


@pytest.mark.parametrize("path", ["/jobs/nope", "/jobs/nope/results"])
def test_an_unknown_job_is_404(client: FlaskClient, path: str) -> None:
    refusal(client.get(path), 404, "not_found")


def test_cancelling(client: FlaskClient, fake: FakeGateway) -> None:
    fake.status = replace(fake.status, state="cancelled")
    assert client.delete("/jobs/job-1").get_json()["state"] == "cancelled"
    refusal(client.delete("/jobs/nope"), 404, "not_found")


def test_pages_lead_to_the_end(client: FlaskClient) -> None:
    seen, link = [], "/jobs/job-1/results?limit=1"
    while link:
        page = client.get(link).get_json()
        seen += page["results"]
        link = page["next"]
    assert [one["id"] for one in seen] == ["0", "1"]


@pytest.mark.parametrize(
    "query",
    ["offset=-1", "offset=x", "limit=x", "limit=1.5", "limit=0", "limit=10001", "limit=-1", "offset=9999999999"],
)
def test_a_page_that_makes_no_sense_is_422(client: FlaskClient, query: str) -> None:
    field = query.partition("=")[0]
    details = refusal(client.get(f"/jobs/job-1/results?{query}"), 422, "invalid_input")["details"]
    assert details["field"] == field
    assert details["limit"] == {"limit": 10_000, "offset": 10**9}[field]


def test_behind_the_end_is_an_empty_page(client: FlaskClient) -> None:
    assert client.get("/jobs/job-1/results?offset=1000000000").get_json()["results"] == []


def test_ndjson_has_no_pages(client: FlaskClient) -> None:
    response = client.get("/jobs/job-1/results?limit=1", headers={"Accept": "application/x-ndjson"})
    assert refusal(response, 422, "invalid_input")["details"]["field"] == "limit"


def test_ndjson_is_one_entry_a_line(client: FlaskClient) -> None:
    response = client.get("/jobs/job-1/results", headers={"Accept": "application/x-ndjson"})
    assert response.mimetype == "application/x-ndjson"
    lines = response.get_data(as_text=True).splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["0", "1"]


def test_ndjson_of_an_unfinished_job_is_409_unless_asked_for(client: FlaskClient, fake: FakeGateway) -> None:
    fake.status = replace(fake.status, state="running", done=1)
    headers = {"Accept": "application/x-ndjson"}
    response = client.get("/jobs/job-1/results", headers=headers)
    assert refusal(response, 409, "conflict")["details"] == {"state": "running", "done": 1, "total": 2}
    assert client.get("/jobs/job-1/results?partial", headers=headers).status_code == 200
    assert client.get("/jobs/job-1/results").status_code == 200
