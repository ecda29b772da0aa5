"""A client that names no exchange: what it sends stays where it is, and the worker's log says how it arrives."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery
from kombu import Connection

from sluice.harness.worker import Worker
from tests.conftest import Brokers

ROUTE = {"tasks.classify": {"exchange": "sluice", "routing_key": "sluice.interactive"}}


def test_calls_in_the_default_queue_are_told_and_left_alone(
    brokers: Brokers, start_worker: Callable[..., Worker]
) -> None:
    backend = f"sluice.harness.caller:CalmRedis+{brokers.backend.url}"
    app = Celery("plain", broker=brokers.broker.url, backend=backend, set_as_current=False)
    app.send_task("other.task", ["a"])
    app.send_task("tasks.classify", ["a text"])
    worker = start_worker(brokers.env()).ready()
    worker.wait_for_output("in the queue 'celery', which")
    assert "send it with exchange='sluice', routing_key='sluice.interactive'" in worker.output()
    routed = Celery("routed", broker=brokers.broker.url, backend=backend, set_as_current=False)
    routed.conf.task_routes = ROUTE
    assert "label" in routed.send_task("tasks.classify", ["a text"]).get(timeout=20)
    with Connection(brokers.broker.url) as connection:
        channel = connection.channel()
        assert channel.queue_declare(queue="celery", passive=True).message_count == 2
        channel.queue_delete(queue="celery")
    assert worker.stop() == 0
