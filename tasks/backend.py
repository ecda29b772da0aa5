"""Celery's Redis result backend, without its subscription per call.

Celery subscribes to a result's channel at every ``apply_async`` and lets go only in ``get``; callers that submit
and poll would leak one subscription each. ``AsyncResult.get()`` still works: it subscribes when it starts to wait.
"""

from __future__ import annotations

from typing import Any

from celery.backends.redis import RedisBackend


class ListeningFreeRedis(RedisBackend):
    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Do nothing; Celery would subscribe here."""
