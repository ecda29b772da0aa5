"""A real worker process, and a Celery app for its clients."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import redis
from celery import Celery

from sluice.config import settings as config
from sluice.harness.process import Child
from sluice.tasks.app import make_celery

SIMULATED = "simulated:?batch_ms=3&message_us=20&poison=POISON"


def environment(broker_url: str, backend_url: str, **settings: object) -> dict[str, str]:
    """The environment of a service on these servers; ``settings`` by field name, e.g. ``max_batch_size=8``."""
    env = {"SLUICE_BROKER_URL": broker_url, "SLUICE_RESULT_BACKEND": backend_url, "SLUICE_MODEL": SIMULATED}
    env["SLUICE_RESTART_WAIT_S"] = "0"  # workers are killed here again and again, and none shall wait for that
    env.update({f"SLUICE_{name.upper()}": str(value) for name, value in settings.items()})
    return env


def client_app(env: dict[str, str]) -> Celery:
    """A Celery app with the settings of ``env``, as a client of the service would make it."""
    given = {name.removeprefix("SLUICE_").lower(): value for name, value in env.items()}
    return make_celery(config.read(**given))


class Worker(Child):
    """``celery -A tasks worker`` in a process of its own."""

    def __init__(self, folder: Path, env: dict[str, str], *options: str, level: str = "info") -> None:
        self.hostname = f"w{uuid4().hex[:8]}@test"
        command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-n", self.hostname, "-l", level]
        command += options
        super().__init__(command, folder / f"{self.hostname}.log", env)

    def ready(self) -> Worker:
        self.wait_for_output(f"{self.hostname} ready.")
        return self


@contextmanager
def serving(folder: Path, env: dict[str, str], *options: str, level: str = "info") -> Iterator[Worker]:
    """A worker that is ready, until the block ends; it must stop cleanly then."""
    worker = Worker(folder, env, *options, level=level)
    try:
        yield worker.ready()
        status = worker.stop()
    finally:
        worker.kill()
    assert status == 0, worker.output()[-3000:]


def flush(backend_url: str) -> None:
    """Empty a test's own Redis."""
    client = redis.Redis.from_url(backend_url)
    client.flushdb()
    client.close()
