"""Fixtures that several files of integration tests share.

A file that takes ``worker`` or ``app`` has an ``env`` of its own, of the scope of a module: the worker's settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery

from sluice.harness.process import wait_for
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.web import Web
from sluice.harness.worker import Worker, client_app, serving
from tests.conftest import started


@pytest.fixture(scope="module")
def worker(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with serving(tmp_path_factory.mktemp("worker"), env) as process:
        yield process


@pytest.fixture(scope="module")
def app(env: dict[str, str], worker: Worker) -> Celery:
    return client_app(env)


@pytest.fixture
def start_web(folder: Path) -> Iterator[Callable[[dict[str, str]], Web]]:
    """``start_web(env)``: a web process that answers; it is stopped at the end of the test."""
    webs: list[Web] = []

    def start(env: dict[str, str]) -> Web:
        webs.append(Web(folder, env))
        wait_for(webs[-1].alive, "the web process", 40)
        return webs[-1]

    yield start
    for web in webs:
        web.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may stop, kill and spoil."""
    with started(lambda: RedisServer(tmp_path)) as server:
        yield server


@pytest.fixture
def own_rabbit(tmp_path: Path) -> Iterator[RabbitServer]:
    """A RabbitMQ that the test may stop and kill."""
    with started(lambda: RabbitServer(tmp_path)) as server:
        yield server


@pytest.fixture(params=["redis", "rabbitmq"])
def own_broker(request: pytest.FixtureRequest) -> RedisServer | RabbitServer:
    return request.getfixturevalue("own_redis" if request.param == "redis" else "own_rabbit")
