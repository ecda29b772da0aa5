"""Stored results and worker statuses, read on a real Redis."""

from __future__ import annotations

import time

import pytest
import redis
from celery import Celery

from sluice.tasks import keys
from sluice.tasks.errors import BackendUnavailable
from sluice.tasks.redis_client import connect
from sluice.tasks.results import WORKER_TTL_S, ResultReader
from sluice.tasks.wire.entry import prediction
from sluice.tasks.wire.release import WIRE
from sluice.tasks.wire.resultmeta import StoredResult, pack_meta
from sluice.tasks.wire.status import WorkerStatus

ENTRY = prediction(None, "ham", 0.5, "m", "1")


def test_results_come_in_the_order_asked_for_and_what_is_absent_is_pending(
    celery_app: Celery, store: redis.Redis
) -> None:
    store.set(celery_app.backend.get_key_for_task("a"), pack_meta("a", "SUCCESS", [ENTRY], "2026-11-30T00:00:00+00:00"))
    absent, found = ResultReader(celery_app, store).fetch(["b", "a"])
    assert absent == StoredResult("PENDING")
    assert not absent.begun
    assert found == StoredResult("SUCCESS", [ENTRY], "2026-11-30T00:00:00+00:00", WIRE)
    assert ResultReader(celery_app, store).fetch([]) == []


def test_only_workers_heard_of_lately_are_there(celery_app: Celery, store: redis.Redis) -> None:
    now = time.time()
    for name, at in (("alive@host", now), ("gone@host", now - WORKER_TTL_S - 1)):
        store.set(keys.worker(name), WorkerStatus(hostname=name, state="ready").to_wire())
        store.zadd(keys.WORKERS, {name: at})
    store.zadd(keys.WORKERS, {"its status has expired@host": now})
    assert [worker.hostname for worker in ResultReader(celery_app, store).workers()] == ["alive@host"]


def test_an_absent_backend_is_said(celery_app: Celery) -> None:
    reader = ResultReader(celery_app, connect("redis://127.0.0.1:1/0"))
    with pytest.raises(BackendUnavailable):
        reader.fetch(["a"])
    with pytest.raises(BackendUnavailable):
        reader.workers()
