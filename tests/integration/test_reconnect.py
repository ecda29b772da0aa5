"""Broker connections cut under load: afterwards everything is answered, and each worker takes as much as before.

As deployed: two workers, Celery's default options (mingle, gossip, heartbeats). Both are open reports against Celery:
a consumer that takes nothing after a reconnect, and a prefetch that stays reduced.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import redis
from celery import Celery
from celery.result import AsyncResult
from kombu.exceptions import OperationalError

from sluice.harness.broker import waiting
from sluice.harness.process import rises, wait_for
from sluice.harness.servers import RabbitServer
from sluice.harness.worker import Worker, client_app
from sluice.tasks.envelope import QUEUES, TASK_NAME
from tests.conftest import Brokers

CUTS = 3
WAIT_S = 30.0
BACK = "the broker can be used again, after "
#: Envelopes that are to run when the cuts are over, and seconds until then: each holds a place beside the window.
LATER, LATER_S = 6, 12


class Load(threading.Thread):
    """Single messages to both lanes, one after the other, however often the broker goes away."""

    def __init__(self, app: Celery) -> None:
        super().__init__(daemon=True)
        self._send = app.tasks[TASK_NAME].apply_async
        self._ending = threading.Event()
        self.results: list[AsyncResult] = []

    def run(self) -> None:
        lanes = itertools.cycle((QUEUES["interactive"], QUEUES["interactive"], QUEUES["bulk"]))
        for number in itertools.count():
            if self._ending.wait(0.003):
                return
            with contextlib.suppress(OperationalError, ConnectionError, redis.RedisError):  # then it was not sent
                self.results.append(self._send((f"message {number}",), queue=next(lanes)))

    def stop(self) -> list[AsyncResult]:
        self._ending.set()
        self.join(30)
        return self.results


@pytest.fixture
def workers(brokers: Brokers, start_worker: Callable[..., Worker]) -> Iterator[list[Worker]]:
    started = [start_worker(env_of(brokers)) for _ in range(2)]
    for worker in started:
        worker.ready()
    yield started
    for worker in started:
        assert worker.stop() == 0, worker.output()[-3000:]


def env_of(brokers: Brokers) -> dict[str, str]:
    # On Redis an answer that was cut off on its way comes back when this time is over.
    return brokers.env(max_batch_size=8, visibility_timeout_s=4)


def cut(brokers: Brokers) -> None:
    """End every connection to the broker, from its side."""
    if isinstance(brokers.broker, RabbitServer):
        brokers.broker.control("close_all_connections", "cut by a test")
        return
    with redis.Redis.from_url(brokers.broker.url) as client:
        for kind in ("normal", "pubsub"):
            client.client_kill_filter(_type=kind, skipme=True)


def told(app: Celery, workers: list[Worker]) -> dict[str, Any]:
    """What each worker says of itself; waits for both."""
    names = [worker.hostname for worker in workers]

    def both() -> dict[str, Any] | None:
        with contextlib.suppress(OSError, redis.RedisError, OperationalError):  # the connection was cut a moment ago
            stats = app.control.inspect(names, timeout=2).stats() or {}
            return stats if len(stats) == len(names) else None
        return None

    stats = wait_for(both, "an answer of both workers", WAIT_S)
    assert isinstance(stats, dict)
    return stats


def windows(app: Celery, brokers: Brokers, workers: list[Worker]) -> list[Any]:
    """How much each worker may hold: as it says, and as RabbitMQ says."""
    found: list[Any] = [(one["prefetch_count"], one["bulk_prefetch_count"]) for one in told(app, workers).values()]
    if isinstance(brokers.broker, RabbitServer):
        lines = brokers.broker.control("list_consumers", "queue_name", "prefetch_count").splitlines()
        found += [line for line in lines if line.startswith("sluice.")]
    return sorted(found, key=str)


def messages_of(app: Celery, workers: list[Worker]) -> dict[str, int]:
    return {name: stats["sluice"]["counters"]["messages"] for name, stats in told(app, workers).items()}


def both_take(app: Celery, workers: list[Worker], queue: str) -> None:
    """Send to one lane until each worker has answered something of it."""
    before = messages_of(app, workers)

    def grown() -> bool:
        results = [app.tasks[TASK_NAME].apply_async((f"{queue} {number}",), queue=queue) for number in range(60)]
        wait_for(lambda: all(one.ready() for one in results), f"answers from {queue}", WAIT_S)
        return all(count > before[name] for name, count in messages_of(app, workers).items())

    wait_for(grown, f"both workers take from {queue}", WAIT_S)


def test_workers_take_as_much_as_before_when_their_connections_were_cut(
    brokers: Brokers, workers: list[Worker]
) -> None:
    app = client_app(env_of(brokers))
    for queue in QUEUES.values():
        both_take(app, workers, queue)
    whole = windows(app, brokers, workers)
    send = app.tasks[TASK_NAME].apply_async
    later = [send((f"later {number}",), queue=QUEUES["interactive"], countdown=LATER_S) for number in range(LATER)]
    load = Load(app)
    load.start()
    for number in range(1, CUTS + 1):
        wait_for(rises(lambda: len(load.results), 50), "load")
        cut(brokers)
        wait_for(partial(all_back, workers, number), f"both back {number}", WAIT_S)
    results = load.stop() + later
    wait_for(lambda: all(one.ready() for one in results), "all answers", WAIT_S)
    assert {one.state for one in results} == {"SUCCESS"}
    assert waiting(brokers.broker.url) == 0
    for queue in QUEUES.values():
        both_take(app, workers, queue)
    assert windows(app, brokers, workers) == whole


def all_back(workers: Sequence[Worker], times: int) -> bool:
    return all(back(worker) >= times for worker in workers)


def back(worker: Worker) -> int:
    return worker.output().count(BACK)
