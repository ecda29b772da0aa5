"""The figures of a week on a real Redis: written by workers, read by the web process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from sluice.harness.servers import RedisServer
from sluice.tasks import keys, weeks
from sluice.tasks.wire.status import AnswerCounts
from sluice.worker.delivery.weeks import WeekWriter
from sluice.worker.model.base import ModelInfo

MODEL = ModelInfo("sms-mini", "1", "", "", "")
WEEK_S = 7 * 86_400
MONDAY = datetime(2026, 11, 30, tzinfo=UTC).timestamp()


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    made: redis.Redis = redis.Redis.from_url(redis_server.url)
    yield made
    made.flushdb()
    made.close()


class Clock:
    now = MONDAY

    def __call__(self) -> float:
        return self.now


def answers(ham: int, spam: int, *, confidence: float = 0.0, pieces: int = 0, unknown: int = 0) -> AnswerCounts:
    labels = {"ham": ham, "spam": spam}
    return AnswerCounts(
        messages=ham + spam, labels=labels, confidence=confidence, pieces=pieces, unknown_pieces=unknown
    )


def read(client: redis.Redis) -> list[weeks.WeekFigures]:
    return weeks.read(client, lambda call, *arguments: call(*arguments))


def test_workers_add_to_the_same_week_and_versions_stand_apart(client: redis.Redis) -> None:
    clock = Clock()
    first, second = WeekWriter(client, MODEL, clock), WeekWriter(client, MODEL, clock)
    newer = WeekWriter(client, replace(MODEL, version="2"), clock)
    first.add(answers(3, 1, confidence=3.6, pieces=50, unknown=1))
    first.add(answers(4, 1, confidence=4.5, pieces=60, unknown=1))
    second.add(answers(0, 5, confidence=4.5, pieces=40, unknown=4))
    newer.add(answers(1, 0, confidence=0.75))
    both = {(one["version"], one["week"]): one for one in read(client)}
    assert both["1", "2026-W49"] == {
        "week": "2026-W49",
        "model": "sms-mini",
        "version": "1",
        "messages": 10,
        "labels": {"ham": 4, "spam": 6},
        "mean_confidence": 0.9,
        "pieces": 100,
        "unknown_pieces": 5,
        "unknown_share": 0.05,
    }
    assert both["2", "2026-W49"]["unknown_share"] is None
    assert len(both) == 2


def test_a_new_week_begins_at_nothing_and_the_latest_comes_first(client: redis.Redis) -> None:
    clock = Clock()
    writer = WeekWriter(client, MODEL, clock)
    clock.now = MONDAY - 1
    writer.add(answers(3, 1))
    clock.now = MONDAY
    writer.add(answers(5, 1))
    writer.add(answers(5, 1))
    assert [(one["week"], one["messages"]) for one in read(client)] == [("2026-W49", 2), ("2026-W48", 4)]


def test_weeks_are_forgotten_after_half_a_year(client: redis.Redis) -> None:
    clock = Clock()
    writer = WeekWriter(client, MODEL, clock)
    for week in range(30):
        clock.now = MONDAY + week * WEEK_S
        writer.add(answers(week + 1, 0))
    found = read(client)
    assert len(found) == weeks.KEPT_WEEKS
    assert found[0]["week"] == weeks.week_of(clock.now)[0]
    name = client.zrange(keys.WEEKS, 0, 0)[0]
    assert isinstance(name, bytes)
    assert 0 < client.ttl(name) <= weeks.KEPT_WEEKS * WEEK_S


def test_no_more_than_so_many_figures_are_kept(client: redis.Redis) -> None:
    for version in range(weeks.MOST + 5):
        WeekWriter(client, replace(MODEL, version=f"{version:03}"), Clock()).add(answers(1, 0))
    assert client.zcard(keys.WEEKS) == weeks.MOST


def test_what_an_outage_kept_back_is_written_after_it(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = WeekWriter(client, MODEL, Clock())
    writer.add(answers(1, 1))

    def away(*_: Any, **__: Any) -> Any:
        raise redis.ConnectionError("away")

    with monkeypatch.context() as patch:
        patch.setattr(redis.client.Pipeline, "execute", away)
        with pytest.raises(redis.ConnectionError):
            writer.add(answers(2, 3))
    writer.add(answers(2, 4))
    assert read(client)[0]["labels"] == {"ham": 2, "spam": 4}


@pytest.mark.parametrize(
    ("day", "week"),
    [("2026-01-01", "2026-W01"), ("2027-01-01", "2026-W53"), ("2027-01-04", "2027-W01"), ("2024-12-30", "2025-W01")],
)
def test_weeks_are_those_of_the_iso_calendar(day: str, week: str) -> None:
    at = datetime.fromisoformat(f"{day}T23:59:59+00:00")
    name, monday = weeks.week_of(at.timestamp())
    assert name == week
    assert datetime.fromtimestamp(monday, UTC).isoweekday() == 1
    assert 0 <= at.timestamp() - monday < WEEK_S
