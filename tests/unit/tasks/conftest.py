"""Settings of a service whose broker and result store is the Redis of the test run, and that Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from sluice.config.settings import Settings, read
from sluice.harness.servers import RedisServer
from sluice.tasks.app import make_celery


@pytest.fixture
def settings(redis_server: RedisServer) -> Settings:
    return read(_env_file=None, broker_url=redis_server.url, result_ttl_s=600)


@pytest.fixture
def store(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """That Redis, which is empty after the test."""
    client: redis.Redis = redis.Redis.from_url(redis_server.url)
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def celery_app(settings: Settings) -> Celery:
    return make_celery(settings)
