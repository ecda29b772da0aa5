"""Revokes envelopes that are with the broker already, for live workers and for those that start later."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import redis
from celery import Celery

from sluice.tasks import keys
from sluice.tasks.app import settings_of
from sluice.tasks.server import Server

log = logging.getLogger(__name__)

#: Seconds for reaching the broker, so that a caller is not held while it is away.
BROKER_TIMEOUT_S = 2.0


def revoke(app: Celery, client: redis.Redis, envelope_ids: Sequence[str], ttl_s: int) -> None:
    """Let no worker begin these envelopes; one that has begun finishes.

    Args:
        client: Redis of the result backend.
        ttl_s: seconds that envelopes may lie in the broker.

    Raises:
        BackendUnavailable: workers that start later may run them; the live ones were told.
    """
    if not envelope_ids:
        return
    try:
        # First, so that a worker that is starting hears of it one way or the other.
        _record(Server.backend(settings_of(app)), client, envelope_ids, ttl_s)
    finally:
        _tell(app, envelope_ids)


def _record(server: Server, client: redis.Redis, envelope_ids: Sequence[str], ttl_s: int) -> None:
    now = time.time()
    pipe = client.pipeline(transaction=False)
    pipe.zadd(keys.REVOKED, dict.fromkeys(envelope_ids, now))
    pipe.zremrangebyscore(keys.REVOKED, "-inf", now - ttl_s)
    server.ask(pipe.execute)


def _tell(app: Celery, envelope_ids: Sequence[str]) -> None:
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
            app.control.revoke(list(envelope_ids), connection=connection)
    except Exception as exc:  # kombu passes on what each transport raises
        error = Server.broker(settings_of(app)).unavailable(exc)
        log.warning("the workers could not be told of cancelled envelopes, for %s", error.operator_message)
