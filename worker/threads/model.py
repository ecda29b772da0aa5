"""The model thread: owns the accelerator."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from queue import SimpleQueue

from tasks.errors import ModelFailed, SluiceError
from worker.message import Item, ModelFree, Outcome
from worker.model.base import Classifier
from worker.threads.guard import GuardedThread

log = logging.getLogger(__name__)


class ModelThread(GuardedThread):
    """Runs batches, one after the other. A batch that fails is halved until the failing messages stand alone.

    Args:
        classifier: loaded and warm; its ``forward`` is called in this thread only.
        to_batcher: told after each batch that the model is free.
        to_deliver: gets each batch's outcome; blocks while the deliver thread is behind.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        to_batcher: Callable[[ModelFree], None],
        to_deliver: Callable[[Outcome | None], None],
        on_death: Callable[[str], None],
    ) -> None:
        super().__init__("model", on_death)
        self.inbox: SimpleQueue[list[Item] | None] = SimpleQueue()
        self._classifier = classifier
        self._to_batcher, self._to_deliver = to_batcher, to_deliver
        self._limit: int | None = None

    def work(self) -> None:
        while (batch := self.inbox.get()) is not None:
            began = time.monotonic()
            results = self._classify([item.ids for item in batch])
            spent = time.monotonic() - began
            self._to_batcher(ModelFree(self._limit))
            self._limit = None
            places = [(item.envelope, item.index) for item in batch]
            self._to_deliver(Outcome(places, results, spent, sum(item.tokens for item in batch)))
        self._to_deliver(None)

    def _classify(self, batch: list[list[int]]) -> list[list[float] | SluiceError]:
        try:
            rows = self._classifier.forward(batch)
            if len(rows) != len(batch):
                raise ValueError(f"the model answered {len(rows)} of {len(batch)} messages")
        except Exception as exc:
            return self._after_failure(batch, exc)
        return [row if all(map(math.isfinite, row)) else _not_finite() for row in rows]

    def _after_failure(self, batch: list[list[int]], exc: Exception) -> list[list[float] | SluiceError]:
        """Try the halves; a message alone gets the error for itself."""
        if self._classifier.is_fatal(exc):
            raise exc
        if len(batch) == 1:
            log.warning("the model failed on one message: %s: %s", type(exc).__name__, exc)
            return [ModelFailed(f"the model failed on this message ({type(exc).__name__})")]
        half = len(batch) // 2
        if self._classifier.is_out_of_memory(exc):
            log.warning("out of memory at %d messages: batches hold at most %d from now on", len(batch), half)
            self._limit = min(half, self._limit or half)
        return self._classify(batch[:half]) + self._classify(batch[half:])


def _not_finite() -> ModelFailed:
    return ModelFailed("the model gave no finite probabilities for this message")
