"""Envelopes revoked while this worker was not listening: before it started, or without a broker connection."""

from __future__ import annotations

from typing import cast

import redis
from celery import Celery
from celery.utils.log import get_logger
from celery.worker import state as worker_state

from sluice.tasks import keys
from sluice.tasks.app import settings_of
from sluice.tasks.redis_client import connect
from sluice.tasks.server import Server

log = get_logger(__name__)

MOST_REVOKED = 1_000_000


def remember(app: Celery) -> None:
    """Add them to Celery's revoked ids; the broadcast reached only the workers that listened."""
    settings = settings_of(app)
    # Celery forgets revoked ids after three hours; a bulk backlog may be older.
    worker_state.revoked.expires, worker_state.revoked.maxlen = settings.result_ttl_s, MOST_REVOKED
    client = connect(settings.backend)
    try:
        cancelled = cast(list[bytes], client.zrange(keys.REVOKED, 0, -1))
        worker_state.revoked.update([name.decode() for name in cancelled])
    except redis.RedisError as exc:
        error = Server.backend(settings).unavailable(exc)
        log.warning("jobs cancelled earlier may run, for %s", error.operator_message)
    finally:
        client.close()
