"""The lookup thread: asks the result cache, so that nobody waits for it but the messages concerned.

It runs only where there is a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Protocol

from sluice.worker.engine.guard import GuardedThread
from sluice.worker.engine.mail import EncodedText, LookedUp


class AnswerCache(Protocol):
    """Answers for texts that come again. Used by one thread."""

    def look_up(self, texts: Sequence[list[int]]) -> tuple[list[bytes], list[list[float] | None]]:
        """For each of these texts, as token ids: where its answer belongs, and the answer if it is known.

        Takes a moment at the most: what is away knows nothing.
        """

    def close(self) -> None:
        """Nothing more is asked."""


class CacheReader(GuardedThread):
    """Answers each list of texts with a ``LookedUp``, hits and misses in its order.

    Args:
        cache: used in this thread only.
        to_batcher: never blocks.
    """

    def __init__(
        self, cache: AnswerCache, *, to_batcher: Callable[[LookedUp], None], on_death: Callable[[str], None]
    ) -> None:
        super().__init__("lookup", on_death)
        self.inbox: SimpleQueue[list[EncodedText] | None] = SimpleQueue()
        self._cache = cache
        self._to_batcher = to_batcher

    def work(self) -> None:
        while (texts := self.inbox.get()) is not None:
            keys, answers = self._cache.look_up([text.ids for text in texts])
            self._to_batcher(LookedUp(texts, keys, answers))
        self._cache.close()
