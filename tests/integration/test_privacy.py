"""The text of an SMS appears in no event, no log line, no inspect answer and no result, whatever comes in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from kombu import Connection, Producer

from sluice.tasks.app import EXCHANGE_NAME
from sluice.tasks.envelope import MORE_HEADER, QUEUES, REPLY_HEADER, TASK_NAME
from tests.conftest import Brokers
from tests.harness.broker import held, waiting
from tests.harness.events import Events
from tests.harness.process import wait_for
from tests.harness.worker import Worker, client_app
from tests.integration.test_shutdown import HOLD, in_the_model

#: Stands for what a person wrote.
SECRET = "correcthorse"
WAIT_S = 30
JSON = "application/json"


@pytest.fixture(scope="module")
def env(brokers: Brokers) -> dict[str, str]:
    model = f"simulated:?batch_ms=3&message_us=0&slow={HOLD}&slow_ms=1000&poison=POISON"
    return brokers.env(max_batch_size=32, model=model)


@pytest.fixture(scope="module", params=["debug", "info"])
def worker(
    request: pytest.FixtureRequest, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    process = Worker(tmp_path_factory.mktemp("worker"), env, "-E", level=request.param).ready()
    yield process
    assert process.stop() == 0, process.output()
    assert SECRET not in process.output()


@pytest.fixture
def app(env: dict[str, str], worker: Worker) -> Celery:
    return client_app(env)


def headers(**more: Any) -> dict[str, Any]:
    """Headers of a good task message; None takes one away."""
    base = {"lang": "py", "task": TASK_NAME, "id": str(uuid4()), "root_id": None, "parent_id": None, "group": None}
    base |= {"argsrepr": f"('{SECRET}',)", "kwargsrepr": f"{{'messages': '{SECRET}'}}"}
    return {name: value for name, value in (base | more).items() if value is not None or name not in more}


GOOD_BODY = json.dumps([[f"a {SECRET}"], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])

#: What a client of another language, another version or another mind might send: body, content type, headers.
ODD: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "not JSON": (f"{{{SECRET}", JSON, headers()),
    "not UTF-8": (b"\xff\xfe" + SECRET.encode(), JSON, headers()),
    "an object": (json.dumps({"text": SECRET}), JSON, headers()),
    "a string": (json.dumps(SECRET), JSON, headers()),
    "a number": ("5", JSON, headers()),
    "null": ("null", JSON, headers()),
    "two parts": (json.dumps([[SECRET], {}]), JSON, headers()),
    "four parts": (json.dumps([[SECRET], {}, {}, SECRET]), JSON, headers()),
    "args a string": (json.dumps([SECRET, {}, {}]), JSON, headers()),
    "args an object": (json.dumps([{"a": SECRET}, {}, {}]), JSON, headers()),
    "args null": (json.dumps([None, None, None]), JSON, headers()),
    "kwargs a string": (json.dumps([[], SECRET, {}]), JSON, headers()),
    "kwargs unknown": (json.dumps([[], {SECRET: SECRET}, {}]), JSON, headers()),
    "embed a string": (json.dumps([[SECRET], {}, SECRET]), JSON, headers()),
    "embed a list": (json.dumps([[SECRET], {}, [SECRET]]), JSON, headers()),
    "callbacks nonsense": (json.dumps([[SECRET], {}, {"callbacks": SECRET}]), JSON, headers()),
    "callbacks of no task": (
        json.dumps([[SECRET], {}, {"callbacks": [{"task": "no.such", "args": [SECRET]}]}]),
        JSON,
        headers(),
    ),
    "chord nonsense": (json.dumps([[SECRET], {}, {"chord": SECRET}]), JSON, headers(group="g")),
    "nested deeply": (json.dumps([[0], {}, {}]).replace("0", "[" * 900 + f'"{SECRET}"' + "]" * 900), JSON, headers()),
    "text/plain": (SECRET, "text/plain", headers()),
    "pickle": (b"\x80\x04" + SECRET.encode(), "application/x-python-serialize", headers()),
    "unknown content type": (SECRET, "application/x-nothing", headers()),
    "unknown task": (GOOD_BODY, JSON, headers(task="no.such.task")),
    "unknown task without id": (GOOD_BODY, JSON, headers(task="no.such.task", id=None)),
    "task a number": (GOOD_BODY, JSON, headers(task=5)),
    "task a list": (GOOD_BODY, JSON, headers(task=[SECRET])),
    "no headers": (GOOD_BODY, JSON, {}),
    "no id": (GOOD_BODY, JSON, headers(id=None)),
    "id a number": (GOOD_BODY, JSON, headers(id=5)),
    "id no UTF-8": (GOOD_BODY, JSON, headers(id="\ud800")),
    "group no UTF-8": (GOOD_BODY, JSON, headers(group="\ud800")),
    "parent no UTF-8": (GOOD_BODY, JSON, headers(parent_id="\ud800")),
    "reply no UTF-8": (GOOD_BODY, JSON, headers(**{REPLY_HEADER: "\ud800"})),
    "id long": (GOOD_BODY, JSON, headers(id="x" * 70_000)),
    "eta nonsense": (GOOD_BODY, JSON, headers(eta="when the moon is full")),
    "eta a number": (GOOD_BODY, JSON, headers(eta=12)),
    "expires nonsense": (GOOD_BODY, JSON, headers(expires="never")),
    "expires long ago": (GOOD_BODY, JSON, headers(expires="1999-01-01T00:00:00+00:00")),
    "expires far away": (GOOD_BODY, JSON, headers(expires="9999-12-31T23:59:59+00:00")),
    "expires without zone": (GOOD_BODY, JSON, headers(expires="2020-01-01T00:00:00")),
    "timelimit nonsense": (GOOD_BODY, JSON, headers(timelimit="soon")),
    "retries nonsense": (GOOD_BODY, JSON, headers(retries="many")),
    "group an object": (GOOD_BODY, JSON, headers(group={"a": 1})),
    "stamps nonsense": (GOOD_BODY, JSON, headers(stamped_headers=["x"], stamps=5)),
    "reply a number": (GOOD_BODY, JSON, headers(**{REPLY_HEADER: 5, MORE_HEADER: "many"})),
    "reply and more huge": (GOOD_BODY, JSON, headers(**{REPLY_HEADER: "x" * 70_000, MORE_HEADER: 10**9})),
    "protocol 1": (json.dumps({"task": TASK_NAME, "id": "p1", "args": [SECRET], "kwargs": {}}), JSON, {}),
    "protocol 1 of no task": (json.dumps({"task": "no.such", "id": "p2", "args": [SECRET]}), JSON, {}),
    "protocol 1 without id": (json.dumps({"task": TASK_NAME, "args": [SECRET]}), JSON, {}),
    "protocol 1 nonsense": (json.dumps({"task": TASK_NAME, "id": "p3", "args": SECRET, "kwargs": [SECRET]}), JSON, {}),
    "surrogates": (json.dumps([[{"id": "\ud800", "text": f"\udfff {SECRET}"}, "\ud83d"], {}, {}]), JSON, headers()),
}


def sendable(kind: str, with_headers: dict[str, Any]) -> bool:
    """AMQP headers are UTF-8, so only Redis lets lone surrogates through."""
    return kind == "redis" or "\ud800" not in with_headers.values()


def send(brokers: Brokers, body: Any, content_type: str, with_headers: dict[str, Any]) -> None:
    encoding = "binary" if isinstance(body, bytes) else "utf-8"
    with Connection(brokers.broker.url) as connection:
        Producer(connection.channel()).publish(
            body,
            exchange=EXCHANGE_NAME,
            routing_key=QUEUES["interactive"],
            content_type=content_type,
            content_encoding=encoding,
            headers=with_headers,
        )


def everything_told(app: Celery, worker: Worker, events: Events) -> str:
    inspect = app.control.inspect([worker.hostname], timeout=5)
    answers = [inspect.active(), inspect.reserved(), inspect.scheduled(), inspect.stats(), inspect.revoked()]
    return json.dumps([answers, events.seen], default=str)


def test_calls_of_every_outcome_are_told_without_their_text(app: Celery, worker: Worker) -> None:
    classify = app.tasks[TASK_NAME]
    with Events(app) as events:
        holding = classify.delay(f"{HOLD} {SECRET}")
        wait_for(lambda: in_the_model(app, worker), "a batch in the model")
        gone = [classify.delay(SECRET), classify.apply_async((SECRET,), expires=0.2)]
        app.control.revoke(gone[0].id)
        results = [
            classify.delay(SECRET),
            classify.delay(["a", {"id": "b", "text": SECRET}]),
            classify.delay([f"POISON {SECRET}", "", {"text": [SECRET]}, {"id": [SECRET], "text": "a"}, SECRET * 500]),
            classify.delay(messages=SECRET),
            app.send_task(TASK_NAME, (SECRET,), argsrepr=SECRET, queue=QUEUES["bulk"]),
        ]
        failed = [
            classify.delay(f"POISON {SECRET}"),
            classify.delay({"text": [SECRET]}),
            classify.delay(SECRET, SECRET),
            classify.apply_async((), {SECRET: SECRET}),
        ]
        later = classify.apply_async((SECRET,), countdown=1)
        told = everything_told(app, worker, events)
        outcomes = [holding, later, *results, *gone, *failed]
        wait_for(lambda: all(result.ready() for result in outcomes), "every outcome", WAIT_S)
        told += everything_told(app, worker, events)
        stored = [app.backend.get(app.backend.get_key_for_task(result.id)) for result in outcomes]
    assert [result.state for result in gone] == ["REVOKED"] * 2
    assert [result.state for result in failed] == ["FAILURE"] * 4
    assert "classify(5 messages)" in told
    assert SECRET not in told
    assert SECRET not in str(stored)
    assert SECRET not in worker.output()


def test_odd_messages_harm_nothing_and_are_told_without_their_text(
    brokers: Brokers, app: Celery, worker: Worker
) -> None:
    with Events(app) as events:
        for body, content_type, with_headers in ODD.values():
            if sendable(brokers.kind, with_headers):
                send(brokers, body, content_type, with_headers)
        wait_for(lambda: waiting(brokers.broker.url) == 0, "all taken", WAIT_S)
        last = app.tasks[TASK_NAME].delay("still there?")
        assert "label" in last.get(timeout=WAIT_S)
        told = everything_told(app, worker, events)
    assert SECRET not in told
    assert SECRET not in worker.output()
    if brokers.kind == "redis":
        wait_for(lambda: held(brokers.broker.url) == 0, "all acknowledged or rejected")
