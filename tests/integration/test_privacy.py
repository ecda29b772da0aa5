"""The text of an SMS appears in no event, no log line, no inspect answer and no result, whatever comes in.

The passwords of broker and results appear nowhere either: here both servers ask for one, and everything that any part
says is searched for it.
"""

from __future__ import annotations

import html
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from celery import Celery
from kombu import Connection, Producer

from sluice.cli.processes import environment
from sluice.harness.broker import held, waiting
from sluice.harness.events import Events
from sluice.harness.process import Child, free_port, wait_for
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.web import Reply, Web, exchange
from sluice.harness.worker import Worker, client_app, serving
from sluice.tasks.app import EXCHANGE_NAME
from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.wire.headers import MORE as MORE_HEADER, REPLY as REPLY_HEADER
from tests.conftest import Brokers, started
from tests.integration.test_shutdown import HOLD, in_the_model

#: Stands for what a person wrote.
SECRET = "correcthorse"
#: Of broker and result store; in a URL some of its characters are quoted.
PASSWORD = "pl4nted/p@ss:wd"
WAIT_S = 30
JSON = "application/json"


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """In place of the other tests' server: one that asks for a password."""
    folder, login = tmp_path_factory.mktemp("redis"), f":{quote(PASSWORD, safe='')}@"
    with started(lambda: RedisServer(folder, "--requirepass", PASSWORD, login=login)) as server:
        yield server


@pytest.fixture(scope="module")
def rabbit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    with started(lambda: RabbitServer(tmp_path_factory.mktemp("rabbit"), PASSWORD)) as server:
        yield server


def secrets_in(told: str) -> list[str]:
    """Which secrets are in ``told``, as they are, quoted for a URL or escaped for a page."""
    forms = (SECRET, PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""))
    return [form for form in forms if form in told or form in html.unescape(told)]


@pytest.fixture(scope="module")
def env(brokers: Brokers) -> dict[str, str]:
    model = f"simulated:?batch_ms=3&message_us=0&slow={HOLD}&slow_ms=1000&poison=POISON"
    return brokers.env(max_batch_size=32, model=model)


@pytest.fixture(scope="module", params=["debug", "info"])
def worker(
    request: pytest.FixtureRequest, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    with serving(tmp_path_factory.mktemp("worker"), env, "-E", level=request.param) as process:
        yield process
    assert not secrets_in(process.output())


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
    answers += [inspect.conf(with_defaults=True), inspect.conf(), inspect.report(), inspect.active_queues()]
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
    assert not secrets_in(told)
    assert SECRET not in str(stored)
    assert not secrets_in(worker.output())


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
    assert not secrets_in(told)
    assert not secrets_in(worker.output())
    if brokers.kind == "redis":
        wait_for(lambda: held(brokers.broker.url) == 0, "all acknowledged or rejected")


SLUICE = ("-m", "sluice.cli")
CELERY = ("-m", "celery", "-A", "sluice.tasks")


def said(env: dict[str, str], *arguments: str) -> str:
    """All that a command of Python prints."""
    done = subprocess.run(
        [sys.executable, *arguments], env=environment(**env), capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_commands_show_no_password(worker: Worker, env: dict[str, str]) -> None:
    commands = {
        "report": (*CELERY, "report"),
        "status": (*CELERY, "status"),
        "stats": (*CELERY, "inspect", "stats", "--json"),
        "conf": (*CELERY, "inspect", "conf"),
        "config": (*SLUICE, "config"),
        "json": (*SLUICE, "config", "--json"),
        "predict": (*SLUICE, "predict", "hello"),
    }
    told = {name: said(env, *command) for name, command in commands.items()}
    assert not {name: found for name, text in told.items() if (found := secrets_in(text))}
    masked = {
        "report": "results:redis",
        "conf": "result_backend",
        "config": "SLUICE_RESULT_BACKEND",
        "status": "online",
    }
    assert all(text in told[name] for name, text in masked.items()), told
    assert worker.hostname in told["stats"]


def pages(port: int, *paths: str) -> list[Reply]:
    return [exchange(http.client.HTTPConnection("127.0.0.1", port, timeout=30), "GET", path) for path in paths]


def test_flower_shows_no_password(worker: Worker, env: dict[str, str], folder: Path) -> None:
    port = free_port()
    command = [sys.executable, *SLUICE, "flower", "--logging=debug"]
    flower = Child(command, folder / "flower.log", env | {"SLUICE_FLOWER_PORT": str(port)})
    page = f"/worker/{worker.hostname}"

    def shown() -> bool:
        try:
            return b"result_backend" in pages(port, page)[0].body
        except OSError:
            return False

    try:
        wait_for(shown, "the worker's page with its configuration", 40, 0.3)
        replies = pages(port, page, "/workers", "/workers?json=1", "/broker", "/tasks", "/metrics", "/task/none")
    finally:
        flower.stop()
    assert not {number: found for number, one in enumerate(replies) if (found := secrets_in(one.body.decode()))}
    assert not secrets_in(flower.output())


ROUTES = ("/stats", "/status", "/health", "/readyz", "/metrics", "/jobs/none", "/openapi.json", "/none")


def told_by_web(web: Web) -> str:
    replies = pages(web.port, *ROUTES)
    replies += [web.ask("POST", "/predict/", {"text": "hello"}), web.ask("POST", "/jobs", {"texts": ["hello"]})]
    return "".join(f"{one.headers} {one.body.decode()}" for one in replies)


def test_web_shows_no_password(worker: Worker, env: dict[str, str], folder: Path) -> None:
    web = Web(folder, env | {"SLUICE_LOG_LEVEL": "debug"}).ready()
    try:
        told = told_by_web(web)
    finally:
        web.stop()
    assert not secrets_in(told)
    assert not secrets_in(web.output())


def test_a_wrong_password_is_not_repeated(env: dict[str, str], folder: Path) -> None:
    """Neither the wrong one, which contains the right one, nor any part that could be read off an error."""
    wrong = {name: value.replace("wd@", "wdX@") for name, value in env.items()} | {"SLUICE_LOG_LEVEL": "debug"}
    worker, web = Child([sys.executable, *SLUICE, "worker"], folder / "worker.log", wrong), Web(folder, wrong)
    try:
        archive = folder / "archive.csv"
        archive.write_text("text\nhello\n")
        told = [
            said(wrong, *SLUICE, "predict", "hello"),
            said(wrong, *SLUICE, "backfill", str(archive), "-o", str(folder / "out.csv")),
            said(wrong, *CELERY, "inspect", "stats"),
            said(wrong, *CELERY, "call", TASK_NAME, "--args", '["hello"]'),
        ]
        wait_for(lambda: listens(web), "web", 40, 0.1)
        told.append(told_by_web(web))
        wait_for(lambda: "rror" in worker.output() or worker.returncode is not None, "the worker's complaint", 40, 0.1)
    finally:
        worker.stop()
        web.stop()
    assert all(told)
    assert not secrets_in("".join([*told, worker.output(), web.output()]))


def listens(web: Web) -> bool:
    try:
        return web.ask("GET", "/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize(
    "url",
    [
        "redis://:pl4/nted@h",
        "redis://:x@h:pl4nted",
        "amqp://u:pl4nted@[h",
        "pl4nted:x@h",
        "x://pl4nted@h",
        "redis://:12#pl4@h",
        "redis://:12?pl4@h",
    ],
)
@pytest.mark.parametrize("setting", ["SLUICE_BROKER_URL", "SLUICE_RESULT_BACKEND"])
def test_a_url_that_cannot_be_read_is_not_repeated(setting: str, url: str) -> None:
    for command in ((*SLUICE, "config"), (*CELERY, "report")):
        told = said({setting: url}, *command)
        assert f"{setting}: it " in told or "the scheme" in told
        assert "Traceback" not in told
        assert "pl4" not in told
