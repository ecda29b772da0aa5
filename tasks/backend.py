"""Celery's Redis result backend, with four changes.

Its URL comes from the settings and is shown without its password: Celery would keep it among the configuration that
workers and Flower show.

Celery subscribes to a result's channel at every ``apply_async`` and lets go only in ``get``; callers that submit
and poll would leak one subscription each. ``AsyncResult.get()`` still works: it subscribes when it starts to wait.

A Redis that refuses to work is away (``redis_client.py``).

And when a result object is thrown away, Celery unsubscribes, for which it reconnects up to 20 times, even if the
process is ending and the server has gone. A subscription on a lost connection is gone already.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import redis
from celery import Celery
from celery.backends.redis import RedisBackend, ResultConsumer

from sluice.config.masking import masked_url
from sluice.tasks.redis_client import failing_over


class LettingGo(threading.local):
    """Whether this thread unsubscribes from a result just now."""

    now = False


class CalmConsumer(ResultConsumer):
    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self._letting_go = LettingGo()

    def cancel_for(self, task_id: str) -> None:
        self._letting_go.now = True
        try:
            super().cancel_for(task_id)
        finally:
            self._letting_go.now = False

    @contextlib.contextmanager
    def reconnect_on_error(self) -> Iterator[None]:
        if self._letting_go.now:
            with contextlib.suppress(redis.RedisError):
                yield
        else:
            with super().reconnect_on_error():
                yield


class ListeningFreeRedis(RedisBackend):
    ResultConsumer = CalmConsumer

    def __init__(self, app: Celery, url: str | None = None, **options: object) -> None:
        # Celery knows the scheme of a socket without ``redis+``.
        super().__init__(app=app, url=app.sluice_settings.backend.removeprefix("redis+"), **options)

    def _get_pool(self, **params: object) -> redis.ConnectionPool:
        pool: redis.ConnectionPool = super()._get_pool(**params)
        pool.connection_class = failing_over(pool.connection_class)
        return pool

    def as_uri(self, include_password: bool = False) -> str:
        return str(self.url) if include_password else masked_url(str(self.url))

    def on_task_call(self, producer: object, task_id: str) -> None:
        """Do nothing; Celery would subscribe here."""
