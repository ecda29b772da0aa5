"""The model thread: owns the accelerator."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol, runtime_checkable

from sluice.tasks.errors import ModelFailed
from sluice.worker.engine.guard import GuardedThread
from sluice.worker.engine.mail import Answer, EncodedText, Ended, EngineNote, ModelFree, Outcome
from sluice.worker.model.base import Classifier
from sluice.worker.model.pieces import Pieces

log = logging.getLogger(__name__)


@runtime_checkable
class Asynchronous(Protocol):
    """A classifier whose device works on its own, so that the next batch is there when this one ends."""

    def submit(self, batch: Sequence[list[int]]) -> Any:
        """Start a forward; returns at once with a handle. Batches run in the order in which they are submitted."""

    def collect(self, handle: Any) -> list[list[float]]:
        """Wait for a submitted batch: probabilities shaped (messages, labels). Once for each handle, in order.

        Raises what the device raises, for this batch alone; ``forward`` may be called afterwards.
        """


@dataclass(slots=True)
class Running:
    """A batch that the device works on; ``handle`` is the error if it could not be submitted."""

    batch: list[EncodedText]
    handle: Any
    began: float


class ModelThread(GuardedThread):
    """Runs batches, one after the other. A batch that fails is halved until the failing messages stand alone.

    Where the classifier is ``Asynchronous``, the next batch is submitted before the last one is collected.

    Args:
        classifier: loaded and warm; its ``forward`` is called in this thread only.
        to_batcher: told after each batch that the model is free.
        emit: gets each batch's ``Outcome`` and at last ``Ended``; may block, which holds the model up.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        to_batcher: Callable[[ModelFree], None],
        emit: Callable[[EngineNote], None],
        on_death: Callable[[str], None],
    ) -> None:
        super().__init__("model", on_death)
        self.inbox: SimpleQueue[list[EncodedText] | None] = SimpleQueue()
        self._classifier = classifier
        self._pieces = Pieces(classifier)
        self._to_batcher, self._emit = to_batcher, emit
        self._limit: int | None = None

    def take_back(self) -> list[list[EncodedText]]:
        """The batches that have not begun, oldest first; they do not run then. For the batcher's thread."""
        taken = []
        with contextlib.suppress(Empty):
            while (batch := self.inbox.get_nowait()) is not None:
                taken.append(batch)
        return taken

    def work(self) -> None:
        if isinstance(self._classifier, Asynchronous):
            self._work_ahead(self._classifier)
        else:
            self._work_in_turn()
        self._emit(Ended())

    def _work_in_turn(self) -> None:
        while (batch := self.inbox.get()) is not None:
            began = time.monotonic()
            answers = self._classify([text.ids for text in batch])
            self._hand_on(batch, answers, time.monotonic() - began)

    def _work_ahead(self, device: Asynchronous) -> None:
        running: Running | None = None
        ended = 0.0
        ending = False
        while not ending or running is not None:
            following = None
            if not ending:
                following, ending = self._submit_next(device, wait=running is None)
            if running is not None:
                answers = self._collect(device, running)
                now = time.monotonic()
                self._hand_on(running.batch, answers, now - max(running.began, ended))
                ended = now
            running = following

    def _submit_next(self, device: Asynchronous, *, wait: bool) -> tuple[Running | None, bool]:
        """Submit the next batch, if there is one or if it is worth waiting for; and whether the end has come."""
        try:
            batch = self.inbox.get(block=wait)
        except Empty:
            return None, False
        return (self._submit(device, batch), False) if batch is not None else (None, True)

    def _submit(self, device: Asynchronous, batch: list[EncodedText]) -> Running:
        began = time.monotonic()
        try:
            handle = device.submit([text.ids for text in batch])
        except Exception as exc:  # told when its turn comes: the batch before it is still on the device
            handle = exc
        return Running(batch, handle, began)

    def _collect(self, device: Asynchronous, running: Running) -> list[Answer]:
        ids = [text.ids for text in running.batch]
        if isinstance(running.handle, Exception):
            return self._after_failure(ids, running.handle)
        return self._checked(ids, lambda: device.collect(running.handle))

    def _hand_on(self, batch: list[EncodedText], answers: list[Answer], spent_s: float) -> None:
        self._to_batcher(ModelFree(batch, answers, self._limit))
        self._limit = None
        tokens = sum(text.tokens for text in batch)
        cache_keys = [text.cache_key for text in batch] if batch[0].cache_key else None
        pieces, unknown = self._pieces.total([text.ids for text in batch])
        self._emit(
            Outcome([text.refs for text in batch], answers, "model", spent_s, tokens, cache_keys, pieces, unknown)
        )

    def _classify(self, batch: list[list[int]]) -> list[Answer]:
        return self._checked(batch, lambda: self._classifier.forward(batch))

    def _checked(self, batch: list[list[int]], forward: Callable[[], list[list[float]]]) -> list[Answer]:
        try:
            rows = forward()
            if len(rows) != len(batch):
                raise ValueError(f"the model answered {len(rows)} of {len(batch)} messages")
        except Exception as exc:
            return self._after_failure(batch, exc)
        return [row if math.isfinite(sum(row)) else _not_finite() for row in rows]

    def _after_failure(self, batch: list[list[int]], exc: Exception) -> list[Answer]:
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
