"""``GET /jobs``: pages over jobs and archives together."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from sluice.config.settings import read
from sluice.web.app import create_app
from sluice.web.gateway.job_store import position
from sluice.web.routes.job_list import MAX_SCANNED, STATES, Rows, Source, page
from tests.unit.web.fake_gateway import FakeGateway
from tests.unit.web.refusal import refusal


def source(*numbers: int) -> Source:
    """A source of jobs that were made at these times; their states take turns."""
    rows: Rows = [(position(f"job{n}", n), {"id": n, "state": STATES[n % len(STATES)]}) for n in numbers]
    rows.sort(key=lambda row: row[0], reverse=True)

    def give(before: str | None, count: int) -> Rows:
        return [row for row in rows if before is None or row[0] < before][:count]

    return give


def walk(sources: list[Source], limit: int, *states: str) -> tuple[list[Any], int]:
    """Every id over all pages, and how many pages there were."""
    seen: list[Any] = []
    cursor, pages = None, 0
    while True:
        rows, cursor = page(sources, cursor, limit, frozenset(states))
        seen += [row["id"] for _, row in rows]
        pages += 1
        assert len(rows) <= limit
        if cursor is None:
            return seen, pages


@pytest.mark.parametrize("limit", [1, 3, 10, 50, 100])
def test_every_job_comes_once_and_in_order(limit: int) -> None:
    numbers = list(range(1, 51))
    seen, pages = walk([source(*numbers[::2]), source(*numbers[1::2])], limit)
    assert seen == numbers[::-1]
    assert pages == -(-50 // limit)


def test_no_jobs_are_one_empty_page() -> None:
    assert walk([source(), source()], 10) == ([], 1)


def test_states_are_picked_out() -> None:
    numbers = range(1, 2_001)
    seen, _ = walk([source(*numbers)], 7, "done", "failed")
    assert seen == [n for n in reversed(numbers) if STATES[n % len(STATES)] in ("done", "failed")]


def test_one_page_looks_at_so_many_jobs() -> None:
    asked = []

    def many(before: str | None, count: int) -> Rows:
        asked.append(count)
        at = int(before[:16]) // 10**6 if before else 10**6
        return [(position("job", at - n), {"state": "done"}) for n in range(1, count + 1)]

    rows, cursor = page([many], None, 10, frozenset({"failed"}))
    assert rows == []
    assert cursor
    assert sum(asked) <= MAX_SCANNED


def test_the_route(client: FlaskClient, fake: FakeGateway) -> None:
    answer = client.get("/jobs").get_json()
    assert answer == {"jobs": [client.get("/jobs/job-1").get_json()], "next": None}
    assert fake.asked[0] == ("jobs", "", None, 21)
    assert client.get("/jobs?state=failed").get_json() == {"jobs": [], "next": None}
    assert client.get("/jobs?state=failed,done&limit=1").get_json() == answer


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("state=", "state"),
        ("state=over", "state"),
        ("state=done,over", "state"),
        ("cursor=", "cursor"),
        ("cursor=-", "cursor"),
        ("cursor=1700000000000000:a b", "cursor"),
    ],
)
def test_a_query_that_makes_no_sense_is_422(client: FlaskClient, query: str, field: str) -> None:
    assert refusal(client.get(f"/jobs?{query}"), 422, "invalid_input")["details"]["field"] == field


def test_each_key_has_a_list_of_its_own(fake: FakeGateway) -> None:
    settings = read(_env_file=None, api_keys="one,two")
    client = create_app(settings, fake).test_client()
    refusal(client.get("/jobs"), 401, "unauthorized")
    for headers in ({"X-API-Key": "one"}, {"X-API-Key": "two"}, {"Authorization": "Bearer one"}):
        assert client.get("/jobs", headers=headers).status_code == 200
    one, two, again = (asked[1] for asked in fake.asked)
    assert one == again != two
    assert "one" not in one
