"""The encoder thread: owns the tokenizer, so that texts are prepared while the model and the batcher do their work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from tasks.errors import ModelFailed, SluiceError
from worker.message import Encoded
from worker.model.base import Classifier
from worker.threads.guard import GuardedThread


class Encoder(GuardedThread):
    """Answers each list of texts with an ``Encoded``, in its order.

    Args:
        classifier: its ``encode`` is called in this thread only.
        share: whether equal texts of a list are encoded once.
        to_batcher: never blocks.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        share: bool,
        to_batcher: Callable[[Encoded], None],
        on_death: Callable[[str], None],
    ) -> None:
        super().__init__("encoder", on_death)
        self.inbox: SimpleQueue[list[str] | None] = SimpleQueue()
        self._classifier = classifier
        self._share = share
        self._to_batcher = to_batcher

    def work(self) -> None:
        while (texts := self.inbox.get()) is not None:
            began = time.monotonic()
            rows = self._encode(texts)
            self._to_batcher(Encoded(rows, time.monotonic() - began))

    def _encode(self, texts: list[str]) -> Sequence[list[int] | SluiceError]:
        try:
            if self._share and len(unique := list(dict.fromkeys(texts))) < len(texts):
                rows = dict(zip(unique, self._classifier.encode(unique), strict=True))
                return [rows[text] for text in texts]
            return self._classifier.encode(texts)
        except Exception:
            return [self._encode_one(text) for text in texts]

    def _encode_one(self, text: str) -> list[int] | SluiceError:
        try:
            return self._classifier.encode([text])[0]
        except Exception as exc:
            return ModelFailed(f"the text could not be tokenised ({type(exc).__name__})")
