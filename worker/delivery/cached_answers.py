"""What the result cache knows already. A cache that is away knows nothing: it is never waited for longer than a moment,
and not asked again for some seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import redis

from sluice.tasks.server import Availability
from sluice.worker.delivery.result_cache import ResultCache

#: Seconds that one lookup may take: longer, and computing is the better answer.
TIMEOUT_S = 0.25
#: Seconds without lookups after one that failed.
PAUSE_S = 5.0


class CachedAnswers:
    """Reads the result cache, one round trip for each list of texts. Implements the engine's ``AnswerCache``.

    Args:
        client: Redis client of the result backend, its timeouts at most ``TIMEOUT_S``; used by one thread, closed here.
        availability: told whether the cache answers.
    """

    def __init__(self, cache: ResultCache, client: redis.Redis, availability: Availability) -> None:
        self._cache = cache
        self._client = client
        self._availability = availability
        self._asks_from = 0.0

    def look_up(self, texts: Sequence[list[int]]) -> tuple[list[bytes], list[list[float] | None]]:
        keys = [self._cache.key(ids) for ids in texts]
        return keys, [self._cache.unpack(value) for value in self._values(keys)]

    def close(self) -> None:
        self._client.close()

    def _values(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        if time.monotonic() < self._asks_from:
            return [None] * len(keys)
        try:
            values: Any = self._client.mget(keys)
            self._availability.back()
            return list(values)
        except redis.RedisError as exc:
            self._asks_from = time.monotonic() + PAUSE_S
            self._availability.lost(exc)
            return [None] * len(keys)
