"""Texts that read alike, on a real worker and both brokers: computed once, answered all, looked up later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from celery import Celery

from sluice.harness.process import wait_for
from sluice.harness.worker import Worker, client_app
from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.errors import ModelFailed
from tests.conftest import Brokers
from tests.integration.test_batching import counters

WAIT_S = 20
HOLD = "HOLD"
#: A batch with HOLD in it takes so long that what is sent meanwhile waits together.
MODEL = f"simulated:?batch_ms=3&message_us=20&poison=POISON&slow={HOLD}&slow_ms=700"
StartWorker = Callable[..., Worker]


@pytest.fixture(scope="module")
def env(brokers: Brokers) -> dict[str, str]:
    return brokers.env(max_batch_size=8, model=MODEL, result_cache_ttl_s=300)


def grown(app: Celery, worker: Worker, before: dict[str, Any]) -> dict[str, int]:
    after = counters(app, worker)["counters"]
    return {name: after[name] - before[name] for name in ("messages", "duplicates", "cached", "tokens")}


def test_without_either_every_text_is_computed(brokers: Brokers, start_worker: StartWorker) -> None:
    # Before the others' worker is there, which would take its share.
    env = brokers.env(max_batch_size=8, model=MODEL, deduplicate="false")
    worker = start_worker(env).ready()
    app = client_app(env)
    before = counters(app, worker)["counters"]
    for _ in range(2):
        assert len(app.tasks[TASK_NAME].delay(["campaign"] * 12).get(timeout=WAIT_S)) == 12
    wait_for(lambda: grown(app, worker, before)["messages"] == 24, "the counters")
    assert (grown(app, worker, before)["duplicates"], grown(app, worker, before)["cached"]) == (0, 0)
    assert worker.stop() == 0


def test_a_text_sent_many_times_is_computed_once(app: Celery, worker: Worker) -> None:
    task, before = app.tasks[TASK_NAME], counters(app, worker)["counters"]
    held = task.delay(f"{HOLD} while they gather")
    bulk = task.apply_async((["campaign"] * 20,), queue=QUEUES["bulk"])
    alone = [task.delay("campaign") for _ in range(10)]
    answers = [result.get(timeout=WAIT_S) for result in alone] + bulk.get(timeout=WAIT_S)
    held.get(timeout=WAIT_S)
    assert len(answers) == 30
    assert all(answer == answers[0] for answer in answers)
    wait_for(lambda: grown(app, worker, before)["messages"] == 31, "the counters")
    counts = grown(app, worker, before)
    assert counts["duplicates"] + counts["cached"] == 29
    assert counts["duplicates"] >= 19


def test_a_text_that_comes_again_is_not_computed_again(app: Celery, worker: Worker, brokers: Brokers) -> None:
    task, text = app.tasks[TASK_NAME], "a parcel that comes again and again"
    first = task.delay(text).get(timeout=WAIT_S)
    before = counters(app, worker)["counters"]
    again = task.delay([{"id": "m1", "text": text}, {"id": "m2", "text": "one of its own"}]).get(timeout=WAIT_S)
    assert again[0] == {"id": "m1", **first}
    wait_for(lambda: grown(app, worker, before)["messages"] == 2, "the counters")
    assert grown(app, worker, before)["cached"] == 1
    client = redis.Redis.from_url(brokers.backend.url)
    names = list(client.scan_iter("sluice:answer:*"))
    assert names
    for name in names:
        assert 0 < client.ttl(name) <= 300
        assert b"parcel" not in name + client.get(name)
    client.close()


def test_who_asks_for_scores_gets_them_of_shared_and_of_looked_up_answers(app: Celery, worker: Worker) -> None:
    task, before = app.tasks[TASK_NAME], counters(app, worker)["counters"]
    held = task.delay(f"{HOLD} while two ask")
    plain = task.delay(["an offer to two", "this is POISON too"])
    full = task.delay(["an offer to two", "this is POISON too"], scores=True)
    (without, failed), (scored, failed_too) = plain.get(timeout=WAIT_S), full.get(timeout=WAIT_S)
    held.get(timeout=WAIT_S)
    assert set(without) == {"label", "probability", "model", "version"}
    assert scored == {**without, "scores": scored["scores"]}
    assert failed == failed_too
    assert max(scored["scores"].values()) == scored["scores"][scored["label"]] == scored["probability"]
    assert set(scored["scores"]) == {"ham", "spam", "phishing"}
    assert sum(scored["scores"].values()) == pytest.approx(1)
    assert task.delay("an offer to two", scores=True).get(timeout=WAIT_S) == scored
    wait_for(lambda: grown(app, worker, before)["messages"] == 6, "the counters")
    assert grown(app, worker, before)["cached"] == 1
    with pytest.raises(Exception, match="scores must be true or false"):
        task.delay("an offer", scores="yes").get(timeout=WAIT_S)


def test_an_error_is_shared_but_not_kept(app: Celery, worker: Worker) -> None:
    task, before = app.tasks[TASK_NAME], counters(app, worker)["counters"]
    for _ in range(2):
        entries = task.delay(["this is POISON", "this is sound", "this is POISON"]).get(timeout=WAIT_S)
        assert ["error" in entry for entry in entries] == [True, False, True]
        with pytest.raises(ModelFailed):
            task.delay("this is POISON").get(timeout=WAIT_S)
    wait_for(lambda: grown(app, worker, before)["messages"] == 8, "the counters")
    assert grown(app, worker, before)["cached"] == 1
