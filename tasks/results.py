"""Reads stored results and worker statuses, many per round trip, without subscriptions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import redis
from celery import Celery

from sluice.tasks import keys, weeks
from sluice.tasks.app import settings_of
from sluice.tasks.envelope import LANES
from sluice.tasks.errors import code_of
from sluice.tasks.redis_client import require_writes
from sluice.tasks.server import Server
from sluice.tasks.wire.entry import Entry, failure
from sluice.tasks.wire.resultmeta import StoredResult
from sluice.tasks.wire.status import WorkerStatus

#: Seconds after its last status when a worker counts as gone.
WORKER_TTL_S = 10


def entries_of(stored: StoredResult, count: int) -> list[Entry]:
    """An envelope's entries in order; one that failed or was revoked gives ``count`` equal failures."""
    if stored.state == "SUCCESS":
        return stored.result if isinstance(stored.result, list) else [stored.result]
    if stored.state == "REVOKED":
        return [failure(None, "revoked", "cancelled or expired before the model saw it")] * count
    error: Mapping[str, object] = stored.result if isinstance(stored.result, dict) else {}
    return [failure(None, code_of(error.get("exc_type")), _sentence(error))] * count


def _sentence(error: Mapping[str, object]) -> str:
    """The message inside an exception as Celery stores it."""
    message = error.get("exc_message")
    if isinstance(message, (list, tuple)):
        message = message[0] if message else None
    return str(message or "the message could not be classified")


class ResultReader:
    """Reads what workers stored. Thread-safe: redis-py's client is."""

    def __init__(self, app: Celery, client: redis.Redis) -> None:
        self._backend = app.backend
        self._client = client
        self._ask = Server.backend(settings_of(app)).ask

    def fetch(self, envelope_ids: Sequence[str]) -> list[StoredResult]:
        """The stored state of each envelope, in order, in one round trip.

        Raises:
            BackendUnavailable: the result backend does not answer.
        """
        if not envelope_ids:
            return []
        names = [self._backend.get_key_for_task(one) for one in envelope_ids]
        values: list[bytes | None] = self._ask(self._client.mget, names)
        return [StoredResult.from_wire(value) for value in values]

    def require_writes(self) -> None:
        """BackendUnavailable when results could not be stored now, though they may be read."""
        self._ask(require_writes, self._client, keys.ledger_checked(LANES[0]))

    def workers(self) -> list[WorkerStatus]:
        """The statuses of the workers that have a model loaded and were heard of lately."""
        since = time.time() - WORKER_TTL_S
        names = self._ask(self._client.zrangebyscore, keys.WORKERS, since, "+inf")
        values = self._ask(self._client.mget, [keys.worker(name.decode()) for name in names]) if names else []
        return [WorkerStatus.from_wire(value) for value in values if value]

    def weeks(self) -> list[weeks.WeekFigures]:
        """What the model's versions answered in the last weeks (``sluice.tasks.weeks``), the latest first.

        Raises:
            BackendUnavailable: the result backend does not answer.
        """
        return weeks.read(self._client, self._ask)
