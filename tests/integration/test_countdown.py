"""Messages with a countdown, more than the window holds: what could run now does not wait for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from sluice.harness.caller import make_caller
from sluice.harness.process import wait_for
from sluice.harness.worker import Worker, client_app
from sluice.tasks.envelope import QUEUES, TASK_NAME
from tests.conftest import Brokers

#: A window of 8 for the interactive lane, and as small a one for the other.
MOST = {"max_batch_size": 2}
LATER, LATER_S = 40, 8.0


@pytest.fixture(scope="module")
def worker(brokers: Brokers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    process = Worker(tmp_path_factory.mktemp("worker"), brokers.env(**MOST)).ready()
    yield process
    assert process.stop() == 0, process.output()


def prefetch(app: Celery, worker: Worker) -> Any:
    stats = app.control.inspect([worker.hostname], timeout=5).stats()[worker.hostname]
    return stats["prefetch_count"], stats["bulk_prefetch_count"]


@pytest.mark.parametrize("lane", QUEUES)
def test_what_waits_for_its_time_keeps_nothing_else_waiting(brokers: Brokers, worker: Worker, lane: str) -> None:
    ours = client_app(brokers.env(**MOST))
    # Another program's app: it does not know the queue, so on RabbitMQ too the worker is what makes the message wait.
    theirs = make_caller(brokers.broker.url, brokers.backend.url)
    place = {"exchange": "sluice", "routing_key": QUEUES[lane]}
    began = time.monotonic()
    later = [theirs.send_task(TASK_NAME, (f"later {i}",), countdown=LATER_S, **place) for i in range(LATER)]
    now = [ours.tasks[TASK_NAME].apply_async((f"now {i}",), queue=QUEUES[lane]) for i in range(20)]
    wait_for(lambda: all(one.ready() for one in now), "what could run now", LATER_S)
    assert time.monotonic() - began < LATER_S
    wait_for(lambda: all(one.ready() for one in later), "what has waited", 3 * LATER_S)
    assert {one.state for one in now + later} == {"SUCCESS"}
    assert prefetch(ours, worker)[list(QUEUES).index(lane)] == 8
