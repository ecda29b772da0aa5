"""A caller's own Celery app, with a worker of its own, on the broker that Sluice uses.

It knows nothing of Sluice but a task's name, an exchange and a routing key.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from celery import Celery, Signature
from celery.backends.redis import RedisBackend

from sluice.harness.process import Child
from sluice.tasks.backend import CalmConsumer

#: The queue of the caller's worker; with Celery its exchange and routing key have the same name.
QUEUE = "mine"


class CalmRedis(RedisBackend):
    """Celery's own, but it does not hold up the end of the tests for a Redis that is gone."""

    ResultConsumer = CalmConsumer


def make_caller(broker_url: str, backend_url: str) -> Celery:
    backend = f"sluice.harness.caller:CalmRedis+{backend_url}"
    app = Celery("caller", broker=broker_url, backend=backend, set_as_current=False)
    app.conf.update(task_default_queue=QUEUE, broker_connection_retry_on_startup=True)

    @app.task(name="mine.store", shared=False)
    def store(answer: dict[str, Any], note: str = "") -> dict[str, Any]:
        return {"stored": answer["label"], "note": note}

    @app.task(name="mine.summary", shared=False)
    def summary(answers: list[dict[str, Any]]) -> list[str]:
        return [one.get("label", "") or one["stored"] for one in answers]

    @app.task(name="mine.failed", shared=False)
    def failed(task_id: str) -> str:
        return f"heard of {task_id}"

    return app


if "SLUICE_BROKER_URL" in os.environ:
    app = make_caller(os.environ["SLUICE_BROKER_URL"], os.environ["SLUICE_RESULT_BACKEND"])


def classify(app: Celery, text: Any, **options: Any) -> Signature:
    """A call of Sluice's task as a client without its package makes it."""
    call = app.signature("tasks.classify", args=(text,), app=app)
    return call.set(exchange="sluice", routing_key="sluice.interactive", **options)


class CallersWorker(Child):
    """An ordinary Celery worker for the caller's own tasks."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "sluice.harness.caller",
            "worker",
            "-P",
            "solo",
            "-n",
            "caller@test",
        ]
        super().__init__([*command, "-l", "info"], folder / "caller.log", env)
        self.wait_for_output("caller@test ready.")
