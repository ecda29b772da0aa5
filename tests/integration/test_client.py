"""What a plain Celery client can do with the service: everything that it does with a Celery task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery, chain, chord, group
from celery.result import AsyncResult, GroupResult
from kombu import Exchange, Queue

from sluice.harness.events import Events
from sluice.harness.process import ROOT, wait_for
from sluice.harness.worker import Worker, client_app, serving
from sluice.tasks.app import EXCHANGE_NAME
from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.errors import ModelFailed
from sluice.tasks.prediction_options import PredictionOptions
from sluice.tasks.publisher import Publisher
from sluice.tasks.replies import ReplyListener
from tests.conftest import Brokers
from tests.integration.test_batching import counters
from tests.integration.test_shutdown import HOLD, in_the_model

WAIT_S = 30
POISON = "POISON"


@pytest.fixture(scope="module")
def env(brokers: Brokers) -> dict[str, str]:
    model = f"simulated:?batch_ms=3&message_us=0&slow={HOLD}&slow_ms=1500&poison={POISON}"
    return brokers.env(max_batch_size=16, model=model)


@pytest.fixture(scope="module")
def worker(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with serving(tmp_path_factory.mktemp("worker"), env, "-E") as process:
        yield process
    assert "Traceback" not in process.output()


@pytest.fixture
def classify(app: Celery) -> Any:
    return app.tasks[TASK_NAME]


@pytest.fixture
def held_model(app: Celery, worker: Worker, classify: Any) -> Iterator[AsyncResult]:
    """The model is busy with one message for a while; what comes meanwhile waits."""
    result = classify.delay(HOLD)
    wait_for(lambda: in_the_model(app, worker), "a batch in the model")
    yield result
    assert "label" in result.get(timeout=WAIT_S)


def celery(env: dict[str, str], *options: str) -> str:
    """Output of a ``celery -A tasks`` command."""
    command = [sys.executable, "-m", "celery", "-A", "tasks", "--quiet", *options]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_celery_call_and_result(env: dict[str, str], worker: Worker) -> None:
    task_id = celery(env, "call", TASK_NAME, "--args", json.dumps(["a text"]))
    assert "'label'" in celery(env, "result", task_id)


@pytest.mark.parametrize("by_queue", [False, True], ids=["by exchange", "by queue"])
def test_a_plain_celery_app_needs_the_names_only(brokers: Brokers, worker: Worker, by_queue: bool) -> None:
    """By ``queue=`` Celery would declare it too, and RabbitMQ refuses other arguments than it has."""
    plain = Celery(broker=brokers.broker.url, backend=brokers.backend.url)
    queue = QUEUES["interactive"]
    to: dict[str, Any] = {"exchange": EXCHANGE_NAME, "routing_key": queue}
    if by_queue:
        kind = "topic" if brokers.kind == "rabbitmq" else "direct"
        to = {"queue": Queue(queue, Exchange(EXCHANGE_NAME, kind, no_declare=True), routing_key=queue, no_declare=True)}
    result = plain.send_task(TASK_NAME, (["one", "two"],), **to)
    assert [set(entry) for entry in result.get(timeout=WAIT_S)] == [{"label", "probability", "model", "version"}] * 2
    assert AsyncResult(result.id, app=Celery(backend=brokers.backend.url)).state == "SUCCESS"
    failed = plain.send_task(TASK_NAME, (f"{POISON} alone",), **to)
    with pytest.raises(Exception, match="the model failed on this message"):
        failed.get(timeout=WAIT_S)


def test_a_group_can_be_saved_and_restored_elsewhere(env: dict[str, str], app: Celery, classify: Any) -> None:
    sent = group(classify.s(f"part {i}") for i in range(5))()
    sent.save()
    restored = GroupResult.restore(sent.id, app=client_app(env))
    assert len(restored.get(timeout=WAIT_S)) == 5
    assert restored.completed_count() == 5


def test_links_chains_and_chords(app: Celery, classify: Any) -> None:
    linked = str(uuid4())
    classify.apply_async(("first",), link=classify.si("second").set(task_id=linked)).get(timeout=WAIT_S)
    assert "label" in AsyncResult(linked, app=app).get(timeout=WAIT_S)

    after_error = str(uuid4())
    broken = classify.apply_async((POISON,), link_error=classify.si("third").set(task_id=after_error))
    with pytest.raises(ModelFailed):
        broken.get(timeout=WAIT_S)
    assert "label" in AsyncResult(after_error, app=app).get(timeout=WAIT_S)

    assert "label" in chain(classify.s("one"), classify.si(["two"]), classify.si("three"))().get(timeout=WAIT_S)
    assert "label" in chord([classify.s("one"), classify.s("two")], classify.si("body"))().get(timeout=WAIT_S)
    # A body that takes the parts' results gets them: label entries, in which there is nothing to classify.
    entries = chord([classify.s("one"), classify.s("two")], classify.s())().get(timeout=WAIT_S)
    assert [entry["error"]["code"] for entry in entries] == ["invalid_input"] * 2


def test_an_ignored_result_is_not_stored(app: Celery, worker: Worker, classify: Any) -> None:
    before = counters(app, worker)["counters"]["messages"]
    result = classify.apply_async(("text",), ignore_result=True)
    wait_for(lambda: counters(app, worker)["counters"]["messages"] == before + 1, "the message classified")
    assert AsyncResult(result.id, app=app).state == "PENDING"


def test_countdown_and_eta(brokers: Brokers, app: Celery, worker: Worker, classify: Any) -> None:
    result = classify.apply_async(("later",), countdown=2)
    if brokers.kind == "redis":  # quorum queues hold it at the broker

        def scheduled() -> list[dict[str, Any]]:
            return app.control.inspect([worker.hostname], timeout=5).scheduled()[worker.hostname]

        waiting: Any = wait_for(scheduled, "a scheduled envelope")
        assert (waiting[0]["request"]["id"], waiting[0]["request"]["args"]) == (result.id, "classify(1 message)")
    assert not result.ready()
    assert "label" in result.get(timeout=WAIT_S)


def test_expired_and_revoked_messages_never_see_the_model(
    app: Celery, worker: Worker, classify: Any, held_model: AsyncResult
) -> None:
    before = counters(app, worker)["counters"]
    expired = classify.apply_async((["too", "late"],), expires=0.3)
    revoked = classify.delay(["not", "wanted"])
    kept = classify.delay("wanted")
    inspect = app.control.inspect([worker.hostname], timeout=5)
    names = {one.id for one in (expired, revoked, kept)}
    wait_for(lambda: {one["id"] for one in inspect.reserved()[worker.hostname]} == names, "three that wait")
    app.control.revoke(revoked.id, terminate=True)
    app.control.revoke(held_model.id, terminate=True)
    wait_for(lambda: revoked.id in (inspect.revoked()[worker.hostname] or ()), "the revoked id known")
    assert "label" in kept.get(timeout=WAIT_S)
    wait_for(lambda: (expired.state, revoked.state) == ("REVOKED", "REVOKED"), "both dropped")
    assert "label" in held_model.get(timeout=WAIT_S)

    def counted() -> bool:
        after = counters(app, worker)["counters"]
        return after["revoked"] - before["revoked"] == 2 and after["messages"] - before["messages"] == 2

    wait_for(counted, "the counters")


def test_inspect_tells_the_truth(app: Celery, worker: Worker, classify: Any, held_model: AsyncResult) -> None:
    waiting = [classify.delay(["one", "two"]), classify.apply_async(("bulk",), queue=QUEUES["bulk"])]
    inspect = app.control.inspect([worker.hostname], timeout=5)
    wait_for(lambda: len(inspect.reserved()[worker.hostname]) == 2, "two that wait")
    active = inspect.active()[worker.hostname]
    assert [(one["id"], one["args"], one["kwargs"]) for one in active] == [(held_model.id, "classify(1 message)", "{}")]
    reserved = inspect.reserved()[worker.hostname]
    assert {one["id"]: one["args"] for one in reserved} == {
        waiting[0].id: "classify(2 messages)",
        waiting[1].id: "classify(1 message)",
    }
    assert inspect.query_task(held_model.id)[worker.hostname][held_model.id][0] == "active"
    assert inspect.registered()[worker.hostname] == [TASK_NAME]
    for result in waiting:
        result.get(timeout=WAIT_S)
    held_model.get(timeout=WAIT_S)
    wait_for(lambda: not inspect.active()[worker.hostname] and not inspect.reserved()[worker.hostname], "none left")


def test_events_show_each_state_and_count(app: Celery, worker: Worker, classify: Any) -> None:
    with Events(app) as events:
        good, bad = classify.delay(["one", "two"]), classify.delay(POISON)
        gone = classify.apply_async(("old",), expires=-1)

        def kinds(result: AsyncResult) -> list[str]:
            return [event["type"] for event in events.of(result.id)]

        wait_for(lambda: kinds(good)[-1:] == ["task-succeeded"], "its success")
        wait_for(lambda: kinds(bad)[-1:] == ["task-failed"], "its failure")
        if kinds(gone):  # RabbitMQ drops an expired message by itself
            wait_for(lambda: kinds(gone) == ["task-received", "task-revoked"], "its end")
        assert kinds(good) == ["task-received", "task-started", "task-succeeded"]
        assert kinds(bad) == ["task-received", "task-started", "task-failed"]
        received, _, succeeded = events.of(good.id)
        assert (received["name"], received["args"]) == (TASK_NAME, "classify(2 messages)")
        assert succeeded["runtime"] > 0
        assert succeeded["result"].startswith(("1 ", "2 "))


def test_every_answer_is_replied_batch_by_batch(env: dict[str, str], app: Celery, worker: Worker) -> None:
    answers: dict[str, dict[int, Any]] = defaultdict(dict)
    listener = ReplyListener(env["SLUICE_RESULT_BACKEND"], lambda one, pairs: answers[one].update(pairs))
    listener.start()
    items: list[Any] = [*(f"text {i}" for i in range(9)), "", 5, POISON, {"id": "m", "text": "named"}]
    try:
        with Publisher(app) as publisher:
            sent = [publisher.publish(items, reply_to=listener.address, lane=lane) for lane in QUEUES for _ in range(5)]
            sent.append(publisher.publish(items, reply_to=listener.address, options=PredictionOptions(scores=True)))
        wait_for(lambda: all(len(answers[one]) == len(items) for one in sent), "every answer", WAIT_S)
    finally:
        listener.stop()
    stored = {one: AsyncResult(one, app=app).get(timeout=WAIT_S) for one in sent}
    for one in sent:
        assert [answers[one][index] for index in range(len(items))] == stored[one]
        assert [index for index, entry in enumerate(stored[one]) if "error" in entry] == [9, 10, 11]
        assert stored[one][12]["id"] == "m"
        assert ("scores" in stored[one][0], "scores" in stored[one][12]) == (one == sent[-1],) * 2


def test_two_workers_share_the_work(
    env: dict[str, str], app: Celery, worker: Worker, classify: Any, start_worker: Callable[..., Worker]
) -> None:
    second = start_worker(env).ready()
    before = counters(app, worker)["counters"]["messages"]
    results = [classify.delay(f"{HOLD} {i}") for i in range(2)] + [classify.delay(["a"] * 8) for _ in range(60)]
    for result in results:
        result.get(timeout=WAIT_S)
    shares = [counters(app, worker)["counters"]["messages"] - before, counters(app, second)["counters"]["messages"]]
    assert second.stop() == 0
    assert min(shares) > 0
    assert sum(shares) == 2 + 60 * 8
