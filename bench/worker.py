"""Queued Celery tasks: Sluice's worker beside celery-batches and plain Celery.

``python -m sluice.bench.worker [--tasks 4000] [--rounds 3]``

Per run the queue is filled first, then the worker starts; the clock runs from the first stored result to the last, so
neither publishing nor start-up counts. The model is simulated (3 ms a batch + 20 µs a message, batches of 64).
Contenders take turns within a round. The servers are private and end with the run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from celery import Celery

from sluice.harness.process import Child
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.worker import client_app, environment, flush
from sluice.tasks.envelope import QUEUES, TASK_NAME

MODEL = "simulated:?batch_ms=3&message_us=20"
TEXT = "Your parcel {} is held at customs, pay the fee at http://post.example/a1"
QUIET = ["-l", "warning"]


@dataclass(frozen=True)
class Contender:
    """A worker: its Celery app, the task that clients send, how many tasks are enough to measure it, their size."""

    name: str
    app: str
    task: str
    share: float = 1.0
    messages: int = 1


CONTENDERS = (
    Contender("Sluice", "tasks", TASK_NAME),
    Contender("Sluice, envelopes of 256", "tasks", TASK_NAME, 0.05, 256),
    Contender("celery-batches", "sluice.bench.peers.queue_workers", "peer.batched", 0.5),
    Contender("Celery, a task per message", "sluice.bench.peers.queue_workers", "peer.single", 0.25),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    report(run(tasks=options.tasks, rounds=options.rounds))


def run(*, tasks: int, rounds: int) -> list[dict[str, Any]]:
    """One row per measurement: ``contender``, ``broker``, ``round`` (from 1) and ``rate``, messages/s."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="sl-") as root, servers(Path(root)) as urls:
        for number in range(1, rounds + 1):
            for kind, broker in urls.items():
                for contender in CONTENDERS:
                    rate = measure(contender, broker, urls["Redis"], Path(root), int(tasks * contender.share))
                    rows.append({"contender": contender.name, "broker": kind, "round": number, "rate": rate})
                    print(f"round {number} {kind:9} {contender.name:28} {rate:8.0f}/s", flush=True)
    return rows


@contextmanager
def servers(root: Path) -> Iterator[dict[str, str]]:
    """A private Redis, which is also the result store, and a private RabbitMQ: URL by name."""
    for name in ("redis", "rabbit"):
        Path(root, name).mkdir()
    backend, rabbit = RedisServer(root / "redis"), RabbitServer(root / "rabbit")
    backend.start()
    try:
        rabbit.start()
        yield {"Redis": backend.url, "RabbitMQ": rabbit.url}
    finally:
        rabbit.close()
        backend.stop()


def measure(contender: Contender, broker: str, backend: str, logs: Path, count: int) -> float:
    """Messages per second between the first stored result and the last."""
    flush(backend)
    env = environment(broker, backend, model=MODEL)
    fill(contender, env, count)
    client = redis.Redis.from_url(backend)
    worker = Child(
        [sys.executable, "-m", "celery", "-A", contender.app, "worker", *QUIET],
        logs / f"{contender.app}-{time.time():.0f}.log",
        env,
    )
    try:
        first, first_count = wait_for_results(client, 1)
        last, _ = wait_for_results(client, count)
    finally:
        worker.stop()
        client.close()
    return contender.messages * (count - first_count) / (last - first)


def fill(contender: Contender, env: dict[str, str], count: int) -> None:
    if contender.task == TASK_NAME:
        app, queue = client_app(env), QUEUES["interactive"]
    else:
        app = Celery("client", broker=env["SLUICE_BROKER_URL"], backend=env["SLUICE_RESULT_BACKEND"])
        app.conf.task_default_queue = queue = "peer"
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(count):
            # No two alike: Sluice computes such texts once.
            texts = [TEXT.format(f"{number}-{index}") for index in range(contender.messages)]
            payload = texts[0] if contender.messages == 1 else texts
            app.send_task(contender.task, (payload,), producer=producer, queue=queue, ignore_result=False)


def wait_for_results(client: redis.Redis, count: int, timeout_s: float = 180) -> tuple[float, int]:
    """Wait until so many results are stored; returns the time and how many there are.

    Counting the keys costs the server the more the faster a contender is, so they are counted only when the size of
    the whole database says that it is worth it.
    """
    ends = time.monotonic() + timeout_s
    while True:
        stored = 0
        if int(client.dbsize()) >= count:  # queues and the like are keys too, so it is never too late
            stored = sum(1 for _ in client.scan_iter("celery-task-meta-*", count=10_000))
        now = time.monotonic()
        if stored >= count:
            return now, stored
        if now > ends:
            raise TimeoutError(f"{stored} of {count} results after {timeout_s} s")
        time.sleep(0.01)


def report(rows: list[dict[str, Any]]) -> None:
    def median(contender: str, broker: str) -> float:
        return statistics.median(r["rate"] for r in rows if (r["contender"], r["broker"]) == (contender, broker))

    print("\n| worker | Redis, messages/s | RabbitMQ, messages/s |\n|---|---|---|")
    for contender in CONTENDERS:
        cells = [f"{median(contender.name, kind):,.0f}" for kind in ("Redis", "RabbitMQ")]
        print(f"| {contender.name} | {' | '.join(cells)} |")
    for kind in ("Redis", "RabbitMQ"):
        ratio = median("Sluice", kind) / median("celery-batches", kind)
        print(f"{kind}: Sluice is {ratio:.1f} times celery-batches")


if __name__ == "__main__":
    os.environ.pop("SLUICE_BROKER_URL", None)
    main()
