"""Web processes and workers that come and go under callers who wait."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

from sluice.harness.process import wait_for
from sluice.harness.web import Web
from sluice.harness.worker import Worker
from tests.conftest import Brokers


def test_a_shutdown_answers_the_callers_that_wait(brokers: Brokers, folder: Path) -> None:
    """SIGTERM to the web process and to the worker while requests are in flight: everyone gets an answer."""
    env = brokers.env(model="simulated:?batch_ms=300&message_us=0", max_batch_size=4, sync_wait_s=8)
    worker, front = Worker(folder, env).ready(), Web(folder, env).ready()
    statuses: list[int] = []

    sent = threading.Semaphore(0)

    def caller(i: int) -> None:
        connection = front.connect()
        body = json.dumps({"text": f"in flight {i}"})
        connection.request("POST", "/predict/", body, {"Content-Type": "application/json"})
        sent.release()
        statuses.append(connection.getresponse().status)
        connection.close()

    callers = [threading.Thread(target=caller, args=(i,)) for i in range(24)]
    for thread in callers:
        thread.start()
    for _ in callers:
        assert sent.acquire(timeout=10)
    wait_for(lambda: statuses, "a first answer")
    assert front.ask("GET", "/healthz").status == 200  # accepted after all of the above were
    worker.send(signal.SIGTERM)
    front.send(signal.SIGTERM)
    for thread in callers:
        thread.join(30)
    assert len(statuses) == 24, "a caller was left without an answer"
    assert set(statuses) <= {200, 202}
    assert (worker.wait(), front.wait()) == (0, 0)


def test_without_a_worker_messages_queue_and_are_answered_later(brokers: Brokers, folder: Path) -> None:
    env = brokers.env(sync_wait_s=0.5)
    front = Web(folder, env)
    worker: Worker | None = None
    try:
        wait_for(lambda: answers(front), "the web server")
        assert front.ask("GET", "/readyz").status == 503
        reply = front.ask("POST", "/predict/", {"text": "nobody is there"})
        assert reply.status == 202
        worker = Worker(folder, env).ready()
        location = reply.headers["location"]
        wait_for(lambda: front.ask("GET", location).json["state"] == "done", "the late answer")
        assert "label" in front.ask("GET", f"{location}/results").body.decode()
    finally:
        front.stop()
        if worker is not None:
            worker.stop()


def test_a_job_cancelled_while_no_worker_lives_never_runs(brokers: Brokers, folder: Path) -> None:
    env = brokers.env()
    front = Web(folder, env)
    worker: Worker | None = None
    try:
        wait_for(lambda: answers(front), "the web server")
        location = front.ask("POST", "/jobs", {"texts": ["one", "two", "three"]}).headers["location"]
        assert front.ask("DELETE", location).status in (200, 202, 204)
        kept = front.ask("POST", "/jobs", {"texts": ["four"]}).headers["location"]
        worker = Worker(folder, env).ready()
        wait_for(lambda: front.ask("GET", kept).json["state"] == "done", "the job that was not cancelled")
        assert front.ask("GET", location).json["state"] == "cancelled"
    finally:
        front.stop()
        if worker is not None:
            worker.stop()
    assert "drained: 1 messages" in worker.output()


def answers(front: Web) -> bool:
    try:
        return front.ask("GET", "/healthz").status == 200
    except OSError:
        return False
