"""The lookup thread: asks the result cache, so that nobody waits for it but the messages concerned.

It runs only where the cache is on. A cache that is away is a cache that knows nothing: it is never waited for longer
than a moment, and not asked again for some seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import redis

from sluice.tasks.server import Availability
from sluice.worker.delivery.result_cache import ResultCache
from sluice.worker.engine.guard import GuardedThread
from sluice.worker.engine.mail import EncodedText, LookedUp

#: Seconds that one lookup may take: longer, and computing is the better answer.
TIMEOUT_S = 0.25
#: Seconds without lookups after one that failed.
PAUSE_S = 5.0


class CacheReader(GuardedThread):
    """Answers each list of items with a ``LookedUp``, hits and misses in its order. One round trip for each.

    Args:
        client: Redis client of the result backend, its timeouts at most ``TIMEOUT_S``; used in this thread only.
        to_batcher: never blocks.
        availability: told whether the cache answers.
    """

    def __init__(
        self,
        cache: ResultCache,
        client: redis.Redis,
        *,
        to_batcher: Callable[[LookedUp], None],
        on_death: Callable[[str], None],
        availability: Availability,
    ) -> None:
        super().__init__("lookup", on_death)
        self._availability = availability
        self.inbox: SimpleQueue[list[EncodedText] | None] = SimpleQueue()
        self._cache = cache
        self._client = client
        self._to_batcher = to_batcher
        self._asks_from = 0.0

    def work(self) -> None:
        while (items := self.inbox.get()) is not None:
            keys = [self._cache.key(item.ids) for item in items]
            answers = [self._cache.unpack(value) for value in self._values(keys)]
            self._to_batcher(LookedUp(items, keys, answers))
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
