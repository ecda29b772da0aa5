"""Reads stored results and worker statuses, many per round trip, without subscriptions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import redis
from celery import Celery

from sluice.tasks import keys, weeks
from sluice.tasks.app import settings_of
from sluice.tasks.envelope import LANES
from sluice.tasks.errors import code_of
from sluice.tasks.redis_client import require_writes
from sluice.tasks.server import Server
from sluice.tasks.wire.entry import Entry, failure

#: Seconds after its last status when a worker counts as gone.
WORKER_TTL_S = 10


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What the backend holds of one envelope; ``state`` is Celery's (PENDING when nothing is stored)."""

    state: str
    result: Any = None
    finished_at: str | None = None

    @property
    def ready(self) -> bool:
        return self.state in ("SUCCESS", "FAILURE", "REVOKED")

    @property
    def begun(self) -> bool:
        """Whether a worker has begun with it, or is through."""
        return self.state != "PENDING"

    def entries(self, count: int) -> list[Entry]:
        """The envelope's entries in order; a failed or revoked envelope gives ``count`` equal error entries."""
        if self.state == "SUCCESS":
            return self.result if isinstance(self.result, list) else [self.result]
        if self.state == "REVOKED":
            return [failure(None, "revoked", "cancelled or expired before the model saw it")] * count
        kind = self.result.get("exc_type") if isinstance(self.result, dict) else None
        return [failure(None, code_of(kind), _exception_text(self.result))] * count


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
        return [_stored(value) for value in values]

    def require_writes(self) -> None:
        """BackendUnavailable when results could not be stored now, though they may be read."""
        self._ask(require_writes, self._client, keys.ledger_checked(LANES[0]))

    def workers(self) -> list[dict[str, Any]]:
        """The statuses of the workers that have a model loaded and were heard of lately."""
        since = time.time() - WORKER_TTL_S
        names = self._ask(self._client.zrangebyscore, keys.WORKERS, since, "+inf")
        values = self._ask(self._client.mget, [keys.worker(name.decode()) for name in names]) if names else []
        return [orjson.loads(value) for value in values if value]

    def weeks(self) -> list[dict[str, Any]]:
        """What the model's versions answered in the last weeks (``sluice.tasks.weeks``), the latest first.

        Raises:
            BackendUnavailable: the result backend does not answer.
        """
        return weeks.read(self._client, self._ask)


def _stored(value: bytes | None) -> StoredResult:
    if value is None:
        return StoredResult("PENDING")
    meta = orjson.loads(value)
    return StoredResult(meta["status"], meta.get("result"), meta.get("date_done"))


def _exception_text(result: Any) -> str:
    """The message inside Celery's stored exception."""
    message = result.get("exc_message") if isinstance(result, dict) else None
    if isinstance(message, (list, tuple)):
        message = message[0] if message else None
    return str(message or "the message could not be classified")
