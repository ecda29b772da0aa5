"""What a caller hangs on its results: it runs in the caller's own worker, or its caller is told why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from celery import Celery, chain, chord, group
from kombu import Connection, Queue

from sluice.harness.caller import QUEUE, CallersWorker, classify, make_caller
from sluice.harness.process import wait_for
from sluice.harness.worker import Worker
from sluice.tasks import keys
from tests.conftest import Brokers

WAIT_S = 20
POISON = "POISON"


@pytest.fixture(scope="module")
def app(brokers: Brokers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Celery]:
    """A caller's app; its worker and Sluice's run beside each other."""
    folder = tmp_path_factory.mktemp("followups")
    worker = Worker(folder, brokers.env()).ready()
    callers = CallersWorker(folder, brokers.env())
    yield make_caller(brokers.broker.url, brokers.backend.url)
    callers.kill()
    assert worker.stop() == 0, worker.output()[-3000:]
    assert "Traceback" not in worker.output(), worker.output()[-3000:]


PLACES = {
    "queue": {"queue": QUEUE},
    "exchange and routing key": {"exchange": QUEUE, "routing_key": QUEUE},
    "the anonymous exchange": {"exchange": "", "routing_key": QUEUE},
    "routing key": {"routing_key": QUEUE},
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_chain_link_and_chord_reach_the_callers_worker(app: Celery, place: dict[str, str]) -> None:
    store, summary = (app.tasks[f"mine.{name}"].s().set(**place) for name in ("store", "summary"))
    stored = chain(classify(app, "chained"), store).apply_async()
    counted = chord([classify(app, "a"), classify(app, "b")], summary).apply_async()
    linked = store.clone().set(task_id=str(uuid4()))
    classify(app, "linked").apply_async(link=linked)
    assert set(stored.get(timeout=WAIT_S)) == {"stored", "note"}
    assert len(counted.get(timeout=WAIT_S)) == 2
    assert set(app.AsyncResult(linked.options["task_id"]).get(timeout=WAIT_S)) == {"stored", "note"}


def test_groups_and_nested_canvases_run_as_with_any_worker(app: Celery) -> None:
    store, summary = (app.tasks[f"mine.{name}"].s().set(queue=QUEUE) for name in ("store", "summary"))
    fan = chain(classify(app, "fan"), group(store.clone(), store.clone(kwargs={"note": "two"})))
    assert len(fan.apply_async().get(timeout=WAIT_S)) == 2
    upgraded = chain(classify(app, "up"), group(store.clone(), store.clone()), summary.clone())
    assert len(upgraded.apply_async().get(timeout=WAIT_S)) == 2
    nested = chord([chain(classify(app, "n"), store.clone()), classify(app, "m")], summary.clone())
    assert len(nested.apply_async().get(timeout=WAIT_S)) == 2
    texts = app.signature("mine.summary", args=([{"label": "a text"}],), app=app).set(queue=QUEUE)
    here = app.signature("tasks.classify", app=app).set(exchange="sluice", routing_key="sluice.interactive")
    assert len(chain(texts, here, summary.clone()).apply_async().get(timeout=WAIT_S)) == 1  # theirs, ours, theirs


def test_a_follow_up_to_our_own_task_needs_no_place(app: Celery) -> None:
    again = app.signature("tasks.classify", args=("again",), immutable=True).set(task_id=str(uuid4()))
    classify(app, "first").apply_async(link=again)
    assert "label" in app.AsyncResult(again.options["task_id"]).get(timeout=WAIT_S)


def test_errbacks_hear_of_what_failed(app: Celery) -> None:
    heard = app.tasks["mine.failed"].s().set(queue=QUEUE, task_id=str(uuid4()))
    failed = classify(app, POISON).apply_async(link_error=heard)
    with pytest.raises(Exception, match="the model failed"):
        failed.get(timeout=WAIT_S)
    assert app.AsyncResult(heard.options["task_id"]).get(timeout=WAIT_S) == f"heard of {failed.id}"


def test_a_chain_behind_a_call_that_fails_fails(app: Celery) -> None:
    store = app.tasks["mine.store"].s().set(queue=QUEUE)
    with pytest.raises(Exception, match="the model failed"):
        chain(classify(app, POISON), store.clone(), store.clone()).apply_async().get(timeout=WAIT_S)


UNSENDABLE: dict[str, tuple[dict[str, Any], str]] = {
    "no place": ({}, "it names no queue"),
    "an exchange that is not there": ({"exchange": "nowhere", "routing_key": "x"}, "nowhere"),
    "a codec that we lack": ({"queue": QUEUE, "compression": "zstd"}, "zstd"),
    "a serializer that we lack": ({"queue": QUEUE, "serializer": "smoke"}, "SerializerNotInstalled"),
    "a queue of another type": ({"queue": 5}, "not a text"),
    "a name too long for AMQP": ({"queue": "q" * 300}, "longer than 255"),
}


@pytest.mark.parametrize(("options", "why"), UNSENDABLE.values(), ids=UNSENDABLE)
def test_what_cannot_be_sent_is_its_own_failure(app: Celery, options: dict[str, Any], why: str) -> None:
    """Its result and those of what comes after it; the call itself and other calls are as good as ever."""
    odd = app.signature("mine.store", options=options)
    last = app.tasks["mine.store"].s().set(queue=QUEUE)
    heard = app.tasks["mine.failed"].s().set(queue=QUEUE, task_id=str(uuid4()))
    odd.options["link_error"] = [heard]
    started = chain(classify(app, "first"), odd, last)
    result = started.apply_async()
    with pytest.raises(Exception, match=why):
        result.get(timeout=WAIT_S)
    with pytest.raises(Exception, match=why):
        result.parent.get(timeout=WAIT_S)
    assert app.AsyncResult(heard.options["task_id"]).get(timeout=WAIT_S) == f"heard of {result.parent.id}"
    with pytest.raises(Exception, match=why):
        chord([classify(app, "a"), classify(app, "b")], odd.clone()).apply_async().get(timeout=WAIT_S)
    assert "label" in classify(app, "after it").apply_async().get(timeout=WAIT_S)


HUNG_ON: dict[str, Callable[[Celery], dict[str, Any]]] = {
    "an id too long for AMQP": lambda app: {"link": app.tasks["mine.store"].s().set(queue=QUEUE, task_id="x" * 300)},
    "an id of its own kind": lambda app: {"link": app.signature("mine.store", options={"queue": QUEUE, "task_id": 5})},
    "a priority of its own kind": lambda app: {"link": app.tasks["mine.store"].s().set(queue=QUEUE, priority="high")},
    "an errback that cannot be sent": lambda app: {"link_error": app.signature("mine.failed")},
    "a time of its own kind": lambda app: {"link": app.tasks["mine.store"].s().set(queue=QUEUE, countdown="soon")},
}


@pytest.mark.parametrize("hung_on", HUNG_ON.values(), ids=HUNG_ON)
def test_what_is_hung_on_holds_nobody_up(app: Celery, hung_on: Callable[[Celery], dict[str, Any]]) -> None:
    for text in ("good", POISON):
        classify(app, text).apply_async(**hung_on(app))
    assert "label" in classify(app, "after it").apply_async().get(timeout=WAIT_S)


def test_keys_of_another_type_hold_nobody_up(app: Celery, brokers: Brokers) -> None:
    """Progress, replies and a chord's count lie under names that clients choose."""
    name = uuid4().hex
    client = redis.Redis.from_url(brokers.backend.url)
    for key in (keys.progress(name), keys.reply(name), f"celery-taskset-meta-{name}.j"):
        client.set(key, "something else")
    client.close()
    body = app.tasks["mine.summary"].s().set(queue=QUEUE, task_id=str(uuid4()))
    call = classify(app, "a").set(group_id=name, chord=body, headers={"sluice_reply": name})
    assert "label" in call.apply_async().get(timeout=WAIT_S)
    with pytest.raises(Exception, match="WRONGTYPE"):
        app.AsyncResult(body.options["task_id"]).get(timeout=WAIT_S)
    assert "label" in classify(app, "after it").apply_async().get(timeout=WAIT_S)


def test_a_callers_queue_keeps_the_arguments_it_was_declared_with(app: Celery, brokers: Brokers) -> None:
    name = f"limited-{uuid4().hex}"
    with Connection(brokers.broker.url) as connection:
        queue = Queue(name, durable=True, max_priority=5)(connection.channel())
        queue.declare()
        chain(classify(app, "a"), app.tasks["mine.store"].s().set(queue=name)).apply_async().parent.get(timeout=WAIT_S)
        taken: Any = wait_for(queue.get, "the follow-up")
        assert taken.headers["task"] == "mine.store"
        queue.delete()
