"""Fixtures of real servers. Each is started once a run, on ports of its own, and stopped by its id."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import amqp
import pytest
from kombu import Connection

from sluice.harness.servers import Missing, RabbitServer, RedisServer
from sluice.harness.web import Web
from sluice.harness.worker import Worker, environment, flush
from sluice.tasks.envelope import DEAD_LETTERS, QUEUES
from tests.contract import contract

#: A developer's own settings must not reach the tests.
for name in [name for name in os.environ if name.startswith(("SLUICE_", "OTS_", "FLOWER_"))]:
    del os.environ[name]

#: Threads of a model that wait must not spin: other tests want the cores. Read when torch is loaded, children too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

#: What tests write is synced thousands of times and then thrown away: it lies in memory where that has room.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


S = TypeVar("S", RedisServer, RabbitServer)
#: Fixtures that start a server, which all others do it with.
SERVERS = {"redis_server", "rabbit_server", "redis_url", "redis_installed", "service", "servers"}
INTEGRATION = Path(__file__).parent / "integration"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs a server, so that `make test-unit` leaves it out."""
    if INTEGRATION in item.path.parents or SERVERS & set(getattr(item, "fixturenames", ())):
        item.add_marker("server")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, and those with servers before the rest, so that all processes end together."""
    order: dict[Path, int] = {}
    for item in items:
        rank = 0 if item.get_closest_marker("slow") else 1 if item.get_closest_marker("server") else 2
        order[item.path] = min(rank, order.get(item.path, 2))
    items.sort(key=lambda item: order[item.path])


@pytest.fixture(autouse=True, scope="session")
def _every_reply_is_documented() -> Iterator[None]:
    """No real service of a test says what its OpenAPI document does not describe."""
    Web.inspect = lambda method, path, reply: contract().check(
        method, path, reply.status, reply.headers.items(), lambda: reply.body
    )
    yield
    Web.inspect = None


@dataclass(frozen=True)
class Brokers:
    """Where a test's broker and result backend are."""

    kind: str
    broker: RedisServer | RabbitServer
    backend: RedisServer

    def env(self, **settings: object) -> dict[str, str]:
        return environment(self.broker.url, self.backend.url, **settings)

    def empty(self) -> None:
        """Drop all that waits and all that is stored."""
        flush(self.backend.url)
        if self.kind == "rabbitmq":
            drop_queues(self.broker.url)


def missing(reason: Missing) -> NoReturn:
    """Skip loudly on a developer's machine, fail in CI: a broker that is not there proves nothing."""
    if os.environ.get("CI"):
        pytest.fail(str(reason), pytrace=False)
    pytest.skip(f"NOT TESTED: {reason}")


@contextmanager
def started(make: Callable[[], S]) -> Iterator[S]:
    """A server until the block ends; ``missing`` where it is not installed."""
    try:
        server = make()
    except Missing as exc:
        missing(exc)
    with server:
        yield server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with started(lambda: RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture(scope="session")
def rabbit_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    with started(lambda: RabbitServer(tmp_path_factory.mktemp("rabbit"))) as server:
        yield server


@pytest.fixture(params=["redis", "rabbitmq"], scope="module")
def brokers(request: pytest.FixtureRequest) -> Iterator[Brokers]:
    """Each test that takes this runs on both brokers; both start a module empty."""
    backend: RedisServer = request.getfixturevalue("redis_server")
    kind = request.param
    broker = backend if kind == "redis" else request.getfixturevalue("rabbit_server")
    both = Brokers(kind, broker, backend)
    both.empty()
    yield both
    flush(backend.url)


@pytest.fixture
def redis_installed(tmp_path: Path) -> None:
    """For tests whose own processes start one."""
    try:
        RedisServer(tmp_path)
    except Missing as exc:
        missing(exc)


def drop_queues(url: str) -> None:
    """Delete Sluice's queues on a test's own RabbitMQ."""
    with Connection(url) as connection:
        for queue in (*QUEUES.values(), DEAD_LETTERS):
            with contextlib.suppress(amqp.NotFound):
                connection.channel().queue_delete(queue)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test's processes write their logs."""
    return tmp_path


@pytest.fixture
def start_worker(folder: Path) -> Iterator[Callable[..., Worker]]:
    """``start_worker(env, *options, level="info")``: a worker that is killed if the test leaves it running."""
    started: list[Worker] = []

    def start(env: dict[str, str], *options: str, **more: str) -> Worker:
        started.append(Worker(folder, env, *options, **more))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
