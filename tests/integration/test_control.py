"""What an operator sees of several workers on one host, and what their remote control answers."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.events.event import get_exchange

from sluice.config.settings import read
from sluice.harness.process import ROOT, Child, wait_for
from sluice.harness.worker import client_app
from sluice.tasks.client import Client
from sluice.tasks.envelope import TASK_NAME
from tests.conftest import Brokers

#: Three ways to start a worker that has not been given a name.
COMMANDS = (
    ("-m", "sluice.cli", "worker"),
    ("-m", "celery", "-A", "sluice.tasks", "worker", "-l", "info"),
    ("-m", "celery", "-A", "tasks", "worker", "-l", "info"),
)


@pytest.fixture
def workers(brokers: Brokers, folder: Path) -> Iterator[list[Child]]:
    children = []
    try:
        for number, command in enumerate(COMMANDS):
            children.append(Child([sys.executable, *command], folder / f"worker-{number}.log", brokers.env()))
        for child in children:
            child.wait_for_output(" ready.")
        yield children
    finally:
        for child in children:
            child.kill()


def names(brokers: Brokers) -> set[str]:
    settings = read(broker_url=brokers.broker.url, result_backend=brokers.backend.url)
    with Client(settings) as client:
        return {one.hostname for one in client.workers()}


def test_workers_of_one_host_are_told_apart(brokers: Brokers, workers: list[Child], folder: Path) -> None:
    app = client_app(brokers.env())
    wait_for(lambda: len(names(brokers)) == len(COMMANDS), "a status of each")
    known = names(brokers)
    assert {name.partition("@")[2] for name in known} == {socket.gethostname()}
    assert {name for reply in app.control.ping(timeout=5) for name in reply} == known
    check = Child([sys.executable, str(ROOT / "deploy" / "check_worker.py")], folder / "check.log", brokers.env())
    assert check.wait() == 0, check.output()

    workers[0].kill()
    wait_for(lambda: len(names(brokers)) == len(COMMANDS) - 1, "one less", 15)
    assert workers[1].stop() == 0
    wait_for(lambda: len(names(brokers)) == len(COMMANDS) - 2, "one less at once", 5)


@pytest.mark.parametrize(
    ("command", "arguments", "said"),
    [
        ("rate_limit", {"task_name": TASK_NAME, "rate_limit": "5/s"}, "no rate limit"),
        ("time_limit", {"task_name": TASK_NAME, "soft": 1.0, "hard": 2.0}, "no time limit"),
        ("pool_grow", {"n": 1}, "no pool"),
        ("pool_shrink", {"n": 1}, "no pool"),
        ("pool_restart", {"reload": True}, "no pool"),
        ("autoscale", {"max": 4, "min": 1}, "no pool"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    one_worker: tuple[Celery, Child], command: str, arguments: dict[str, Any], said: str
) -> None:
    app, worker = one_worker
    (reply,) = app.control.broadcast(command, arguments=arguments, reply=True, timeout=5, limit=1)
    (answer,) = reply.values()
    assert set(answer) == {"error"}
    assert said in answer["error"]
    assert "nothing was changed" in answer["error"]
    assert app.tasks[TASK_NAME].delay("see you at eight").get(timeout=10)["label"]
    assert "Traceback" not in worker.output()


ODD_BODIES: list[Any] = [[], "x", 7, None, {}, {"hostname": 5}, {"id": 5}, {"hostname": "x", "id": "1", "clock": "y"}]
ODD_ENCODINGS = [
    (b"no json", "application/json", "utf-8"),
    (b"\xff", "application/data", "binary"),
    (b"cos\nsystem\n", "application/x-python-serialize", "binary"),
]


def test_nothing_odd_among_events_and_commands_ends_a_worker(
    brokers: Brokers, one_worker: tuple[Celery, Child]
) -> None:
    app, worker = one_worker
    with app.connection_for_write() as connection:
        producer = connection.Producer(serializer="json")
        events, commands = get_exchange(connection), app.control.mailbox.exchange
        for exchange, key in ((events, name) for name in ("worker.heartbeat", "worker.elect", "worker.elect.ack")):
            for body in ODD_BODIES:
                producer.publish(body, exchange=exchange, routing_key=key)
        for exchange, key in ((events, "worker.heartbeat"), (commands, "")):
            for raw, kind, encoding in ODD_ENCODINGS:
                producer.publish(raw, exchange=exchange, routing_key=key, content_type=kind, content_encoding=encoding)
        for body in ODD_BODIES:
            producer.publish(body, exchange=commands, routing_key="")
    app.control.broadcast("election", arguments={"id": "1", "topic": "none"})
    wait_for(lambda: worker.returncode is not None or app.control.ping(timeout=1), "its answer")
    worker.wait_for_output("Ignored an event of no known shape")
    assert app.tasks[TASK_NAME].delay("see you at nine").get(timeout=10)["label"]
    assert worker.returncode is None


@pytest.fixture(scope="module")
def one_worker(brokers: Brokers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Celery, Child]]:
    log = tmp_path_factory.mktemp("control") / "worker.log"
    child = Child([sys.executable, *COMMANDS[0]], log, brokers.env())
    try:
        child.wait_for_output(" ready.")
        yield client_app(brokers.env()), child
        assert child.stop() == 0
    finally:
        child.kill()
