"""The service under test: private servers, one web process, some workers; all end with the measurement.

::

    with Servers("redis") as servers, Service(servers, model="simulated:?batch_ms=3") as service:
        measured = measure(Load(service.predict_url, texts, connections=64, seconds=5))
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import amqp
from kombu import Connection

from sluice.bench.environment import without_own_settings
from sluice.harness.process import Child, wait_for
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.web import Web
from sluice.harness.worker import environment, flush
from sluice.tasks.envelope import QUEUES

BROKER_NAMES = {"redis": "Redis", "rabbitmq": "RabbitMQ"}
SIMULATED = "simulated:?batch_ms=3&message_us=20"
#: Loading and warming up a large model on a busy CPU takes its time.
READY_S = 300.0


class Servers:
    """A private Redis, and a private RabbitMQ if one of ``brokers`` asks for it."""

    def __init__(self, *brokers: str) -> None:
        unknown = set(brokers) - set(BROKER_NAMES)
        if unknown:
            raise ValueError(f"no such broker: {', '.join(sorted(unknown))}")
        self._brokers = brokers
        self._stack = contextlib.ExitStack()
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sl-bench-")))
            self.urls["redis"] = self._redis(stack)
            if "rabbitmq" in self._brokers:
                self.urls["rabbitmq"] = self._rabbit(stack)
            self._stack = stack.pop_all()
        return self

    def _redis(self, stack: contextlib.ExitStack) -> str:
        (self.folder / "redis").mkdir()
        server = RedisServer(self.folder / "redis")
        stack.callback(server.stop)
        server.start()
        return server.url

    def _rabbit(self, stack: contextlib.ExitStack) -> str:
        (self.folder / "rabbit").mkdir()
        server = RabbitServer(self.folder / "rabbit")
        stack.callback(server.close)
        server.start()
        return server.url

    def empty(self) -> None:
        """Drop whatever an earlier service left in the queues and the result store."""
        flush(self.urls["redis"])
        if "rabbitmq" in self.urls:
            with Connection(self.urls["rabbitmq"]) as connection:
                for queue in QUEUES.values():
                    with contextlib.suppress(amqp.NotFound):
                        connection.channel().queue_delete(queue)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


class Service:
    """One web process and ``workers`` workers on ``servers``, ready and tried out when the block begins.

    Args:
        worker: the Python arguments that start a worker.
        web: the Python arguments that start the web process.
        settings: by field name of ``sluice.config.settings``; the caller's own ``SLUICE_…`` variables do not count.

    Raises:
        RuntimeError: a process ended early, or the first answer was wrong; its output is in the message.
        TimeoutError: it was not ready in time.
    """

    def __init__(
        self,
        servers: Servers,
        broker: str = "redis",
        workers: int = 1,
        worker: Sequence[str] = ("-m", "sluice.cli", "worker"),
        web: Sequence[str] = ("-m", "sluice.cli", "web"),
        **settings: Any,
    ) -> None:
        self._servers = servers
        self._workers = workers
        self._worker = worker
        self._front = web
        self.broker = broker
        self.settings = {"model": SIMULATED, **settings}
        self.children: list[Child] = []

    def __enter__(self) -> Self:
        self._servers.empty()
        urls = self._servers.urls
        env = environment(urls[self.broker], urls["redis"], **self.settings)
        with contextlib.ExitStack() as stack, without_own_settings():
            for number in range(self._workers):
                name = f"bench{number + 1}@localhost"
                command = [sys.executable, *self._worker, "--hostname", name]
                self.children.append(Child(command, self._servers.folder / f"{name}.log", env))
                stack.callback(self.children[-1].stop)
            self.web = Web(self._servers.folder, env, self._front)
            self.children.append(self.web)
            stack.callback(self.web.stop)
            wait_for(self._ready, "the service", READY_S, 0.1)
            self._try()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def predict_url(self) -> str:
        return f"{self.web.url}/predict/"

    @property
    def jobs_url(self) -> str:
        return f"{self.web.url}/jobs"

    def stats(self) -> dict[str, Any]:
        """What ``GET /stats`` says; workers report about once a second."""
        answer: dict[str, Any] = self.web.ask("GET", "/stats").json
        return answer

    def _ready(self) -> bool:
        for child in self.children:
            if child.returncode is not None:
                raise RuntimeError(f"{child.log.stem} ended with {child.returncode}:\n{child.output()[-3000:]}")
        try:
            if self.web.ask("GET", "/readyz").status != 200:
                return False
            states = [worker.get("state") for worker in self.stats()["workers"]]
        except OSError:
            return False
        return states.count("ready") == self._workers

    def _try(self) -> None:
        reply = self.web.ask("POST", "/predict/", {"text": "Your parcel is at the door, code 4711"})
        if reply.status != 200 or "label" not in json.loads(reply.body):
            raise RuntimeError(f"the service answered {reply.status}: {reply.body[:300]!r}")
