"""A real Redis on a unix socket of the test run, a gateway on it and a worker without a model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import redis
from celery import Celery
from flask import Flask
from flask.testing import FlaskClient

from sluice.config.settings import Settings, read
from sluice.harness.process import Child, wait_for
from sluice.tasks.app import make_celery
from sluice.web.app import create_app
from sluice.web.gateway import Gateway, Ports
from sluice.web.gateway.job_store import JobStore
from tests.unit.web.documented_client import DocumentedClient
from tests.unit.web.fake_gateway import FakeGateway
from tests.unit.web.fake_worker import FakeWorker

DATABASES = count(1)

Flask.test_client_class = DocumentedClient


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    folder = Path(mkdtemp(prefix="sl-"))  # short: a socket's path has little room
    path = folder / "r.sock"
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    server = Child([binary, *options], folder / "log")
    wait_for(path.exists, "the Redis socket")
    yield f"redis+socket://{path}"
    server.stop()
    shutil.rmtree(folder)


def settings_on(url: str, **overrides: object) -> Settings:
    return read(_env_file=None, broker_url=url, state_dir="~/t", sync_wait_s=5, result_ttl_s=600, **overrides)


@pytest.fixture(scope="session")
def settings(redis_url: str) -> Settings:
    return settings_on(redis_url)


@pytest.fixture(scope="session")
def store(redis_url: str) -> Iterator[redis.Redis]:
    """The Redis under the tests."""
    client = redis.Redis(unix_socket_path=redis_url.removeprefix("redis+socket://"))
    yield client
    client.close()


@pytest.fixture(scope="session")
def celery_app(settings: Settings) -> Celery:
    return make_celery(settings)


@pytest.fixture(scope="session")
def shared_worker(celery_app: Celery, settings: Settings) -> Iterator[FakeWorker]:
    fake = FakeWorker(celery_app, settings)
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def worker(shared_worker: FakeWorker) -> FakeWorker:
    """A worker that answers; what an earlier test left in the queues is worked off first."""
    shared_worker.reset()
    return shared_worker


@pytest.fixture(scope="session")
def gateway(settings: Settings, celery_app: Celery) -> Iterator[Gateway]:
    gateway = Gateway(settings, celery_app)
    yield gateway
    gateway.release_callers()
    gateway.close()


@pytest.fixture
def gateway_with(settings: Settings, celery_app: Celery) -> Iterator[Callable[..., Gateway]]:
    """Makes gateways beside the shared one, on the same servers, with ports of the test."""
    made: list[Gateway] = []

    def make(**ports: Any) -> Gateway:
        made.append(Gateway(settings, celery_app, Ports(**ports)))
        return made[-1]

    yield make
    for gateway in made:
        gateway.release_callers()
        gateway.close()


@pytest.fixture
def job_store(store: redis.Redis) -> JobStore:
    """The jobs under the shared gateway."""
    return JobStore(store, 600)


@pytest.fixture
def lone(redis_url: str) -> Iterator[Callable[..., Gateway]]:
    """Makes gateways on databases of their own, where no worker listens."""
    made: list[Gateway] = []

    def make(ports: Ports | None = None, **overrides: object) -> Gateway:
        number = next(DATABASES)
        made.append(Gateway(settings_on(f"{redis_url}?virtual_host={number}", **overrides), ports=ports))
        return made[-1]

    yield make
    for gateway in made:
        gateway.release_callers()
        gateway.close()


@pytest.fixture
def fake() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def plain_settings() -> Settings:
    """Settings that name no server: for routes on a gateway that answers by itself."""
    return read(_env_file=None, max_text_chars=100, max_job_messages=50, max_body_bytes=20_000)


@pytest.fixture
def flask_app(plain_settings: Settings, fake: FakeGateway) -> Flask:
    return create_app(plain_settings, fake)


@pytest.fixture
def client(flask_app: Flask) -> FlaskClient:
    return flask_app.test_client()
