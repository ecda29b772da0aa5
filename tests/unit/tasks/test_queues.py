"""Looking at broker queues, on a real Redis."""

from __future__ import annotations

from uuid import uuid4

import redis
from celery import Celery

from sluice.tasks.queues import QueueCounter


def test_many_looks_at_an_empty_queue_open_nothing(celery_app: Celery) -> None:
    with celery_app.connection_for_read() as connection:
        counter = QueueCounter(connection)
        assert counter.waiting("no.such.queue") == 0
        opened = len(connection.connection.channels)
        for _ in range(20):
            assert counter.waiting("no.such.queue") == 0
        assert len(connection.connection.channels) == opened


def test_what_waits_is_counted(celery_app: Celery, store: redis.Redis) -> None:
    queue = f"counted.{uuid4().hex}"
    with celery_app.connection_for_read() as connection:
        counter = QueueCounter(connection)
        assert counter.waiting(queue) == 0
        store.rpush(queue, "one", "two")
        assert counter.waiting(queue) == 2
    store.delete(queue)
