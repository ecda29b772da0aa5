"""The encoder: turns texts into token ids, in a thread of its own while the model is busy.

On an idle model the batcher calls it directly: nothing could go on beside it, and two changes of threads would cost a
lone message a tenth of a millisecond and more. One chunk is with the encoder at a time: the tokenizer is never shared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from sluice.tasks.errors import ModelFailed, SluiceError
from sluice.worker.engine.guard import GuardedThread
from sluice.worker.engine.mail import Encoded
from sluice.worker.model.base import Classifier


class Encoder(GuardedThread):
    """Answers each list of texts with an ``Encoded``, in its order.

    Args:
        classifier: its ``encode`` is called here only.
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
            self._to_batcher(self.encode(texts))

    def encode(self, texts: list[str]) -> Encoded:
        """The token ids of a chunk, or for each text why there are none."""
        began = time.monotonic()
        rows = self._encode(texts)
        return Encoded(rows, time.monotonic() - began)

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
