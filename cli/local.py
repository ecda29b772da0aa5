"""A model in this process, for a few texts at a time: no service, no threads, nothing measured first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sluice.config.settings import Settings
from sluice.tasks.envelope import Message, parse
from sluice.tasks.errors import ModelFailed, ModelUnavailable
from sluice.tasks.prediction_options import PredictionOptions
from sluice.tasks.wire.entry import Entry, failure
from sluice.worker.engine.capacity import load_classifier
from sluice.worker.engine.entries import Entries
from sluice.worker.model.judge import Judge


class LocalModel:
    """Answers as a worker does; loaded when made.

    Args:
        settings: which model, on which device, and most messages in a batch.
        options: what entries hold besides label and probability.

    Raises:
        ModelUnavailable: there is no model, or (on ``ask``) its device is lost.
        InvalidInput: a verdict is wished for, and the model has no thresholds.
    """

    def __init__(self, settings: Settings, options: PredictionOptions) -> None:
        self._classifier = load_classifier(settings)
        judge = Judge(self._classifier.labels, self._classifier.info, settings)
        if options.verdict and judge.objection is not None:
            raise judge.objection
        self._entries = Entries(self._classifier, judge)
        self._options = options
        self._most = settings.max_batch_size
        self._max_text_chars = settings.max_text_chars

    def ask(self, texts: Sequence[str]) -> list[Entry]:
        """The entries of these texts, in order."""
        messages = parse([list(texts)], {}, self._max_text_chars).messages
        good = [message.text for message in messages if message.error is None]
        ids = self._classifier.encode(good) if good else []
        rows = iter([row for at in range(0, len(ids), self._most) for row in self._forward(ids[at : at + self._most])])
        return [_refused(message) if message.error else self._entry(next(rows)) for message in messages]

    def _entry(self, row: list[float] | None) -> Entry:
        if row is None:
            return failure(None, ModelFailed.code, "the model failed on this message")
        return self._entries.facts(row, self._options)

    def _forward(self, batch: list[list[int]]) -> list[list[float] | None]:
        """Probabilities, or None for a message that the model fails on: a batch that fails is halved."""
        try:
            return [row if math.isfinite(sum(row)) else None for row in self._classifier.forward(batch)]
        except Exception as exc:
            if self._classifier.is_fatal(exc):
                raise ModelUnavailable(f"the model has stopped: {type(exc).__name__}") from exc
            if len(batch) == 1:
                return [None]
        half = len(batch) // 2
        return self._forward(batch[:half]) + self._forward(batch[half:])


def _refused(message: Message) -> Entry:
    assert message.error is not None
    return failure(None, message.error.code, message.error.message)
