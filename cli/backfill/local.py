"""Takes texts to a model in this process: no broker, no result store, but the worker's own engine."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from queue import Empty, Queue
from types import TracebackType
from typing import Self

from sluice.backfill.clients.base import Demand, IndexedEntries
from sluice.backfill.run.stop import SLICE_S, Stop
from sluice.config.settings import Settings
from sluice.tasks.envelope import ENVELOPE_MESSAGES, parse
from sluice.tasks.errors import ModelUnavailable, Revoked
from sluice.tasks.prediction_options import PredictionOptions
from sluice.worker.engine.batching.former import WINDOW_BATCHES
from sluice.worker.engine.capacity import load_classifier, warm_up
from sluice.worker.engine.engine import Engine
from sluice.worker.engine.entries import Entries
from sluice.worker.engine.mail import EngineNote, InFlightEnvelope, Outcome
from sluice.worker.model.judge import Judge
from sluice.worker.model.pieces import Pieces

#: Seconds that closing waits for the batches that the model has begun.
CLOSE_S = 30.0


class LocalClient:
    """Batches run here as they do in a worker: cut over envelopes, tokenised ahead, halved when one fails.

    Entering it loads and warms the model. Implements ``ClassifierClient``.

    Args:
        settings: which model, on which device, in which batches.
        stop: asked in every wait.
        options: what entries hold besides label and probability.
        stage: told what is being done on entry, which takes seconds.

    Raises:
        ModelUnavailable: (on entry) there is no model; (on ``send`` and ``receive``) it has stopped, its device is
            lost for instance.
        Stopped: (on entry and ``receive``) a stop was asked for.
    """

    def __init__(
        self, settings: Settings, stop: Stop, options: PredictionOptions, stage: Callable[[str], None] = lambda _: None
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._options = options
        self._stage = stage
        self._abandoned: set[str] = set()
        # No SimpleQueue: Python 3.11's, waiting with a timeout in the main thread, never returns after a signal.
        self._outcomes: Queue[Outcome | None] = Queue()
        self._death: str | None = None

    def __enter__(self) -> Self:
        classifier = load_classifier(self._settings)
        self._stop.check()
        self._stage(f"measuring how fast {classifier.info.name} {classifier.info.version} is here")
        self._capacity = capacity = warm_up(classifier, self._settings)
        self._stop.check()
        self._classifier = classifier
        self._pieces = Pieces(classifier)
        self._info, self._labels = classifier.info, list(classifier.labels)
        judge = Judge(classifier.labels, classifier.info, self._settings)
        self._no_verdict = judge.objection
        self._entries = Entries(classifier, judge)
        self._engine = Engine(capacity, self._revoked, self._emit, self._on_death)
        self._engine.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._engine.abort(CLOSE_S)

    def labels(self) -> list[str]:
        return self._labels

    def require_verdicts(self) -> None:
        if self._no_verdict is not None:
            raise self._no_verdict

    def version(self) -> tuple[str, str]:
        return self._info.name, self._info.version

    def count_pieces(self, texts: Sequence[str]) -> list[tuple[int, int]]:
        """Pieces of each text and how many of them are unknown; only while nothing is under way."""
        return self._pieces.of(self._classifier.encode(texts))

    @property
    def counts_pieces(self) -> bool:
        """Whether the model's tokenizer can tell unknown pieces."""
        return self._pieces.countable

    def demand(self) -> Demand:
        """As many under way as the batches are cut from."""
        limits = self._capacity.limits()
        return Demand(floor=max(2 * ENVELOPE_MESSAGES, (WINDOW_BATCHES + 1) * limits.messages))

    def send(self, envelope_id: str, texts: Sequence[str]) -> None:
        """Take one envelope; never waits.

        Raises:
            InvalidInput: no text or too many of them.
        """
        self._check()
        call = parse([list(texts)], {}, self._settings.max_text_chars)
        self._engine.submit(
            InFlightEnvelope(
                envelope_id,
                call.messages,
                call.single,
                bulk=True,
                arrived=time.monotonic(),
                generation=0,
                options=self._options,
            )
        )

    def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
        """What has been answered, by envelope; waits up to ``timeout_s`` for the first batch."""
        replies: defaultdict[str, IndexedEntries] = defaultdict(list)
        outcome = self._first(timeout_s)
        while outcome is not None:
            for envelope, index, entry in self._entries.of(outcome):
                replies[envelope.id].append((index, entry))
            outcome = self._next(0.0)
        return list(replies.items())

    def done(self, envelope_ids: Sequence[str]) -> None:
        """Nothing is kept of them."""

    def abandon(self, envelope_ids: Sequence[str]) -> None:
        self._abandoned.update(envelope_ids)

    def _first(self, timeout_s: float) -> Outcome | None:
        """The next outcome, or None when the time is up."""
        ends = time.monotonic() + timeout_s
        while True:
            self._stop.check()
            outcome = self._next(min(SLICE_S, ends - time.monotonic()))
            if outcome is not None:
                return outcome
            self._check()
            if time.monotonic() >= ends:
                return None

    def _next(self, timeout_s: float) -> Outcome | None:
        try:
            return self._outcomes.get(timeout=timeout_s) if timeout_s > 0 else self._outcomes.get_nowait()
        except Empty:
            return None

    def _check(self) -> None:
        if self._death is not None:
            raise ModelUnavailable(f"the model has stopped: {self._death}")

    # called by the threads

    def _emit(self, note: EngineNote) -> None:
        if isinstance(note, Outcome):
            self._outcomes.put(note)

    def _revoked(self, envelope: InFlightEnvelope) -> Revoked | None:
        return Revoked("given up before it was classified") if envelope.id in self._abandoned else None

    def _on_death(self, reason: str) -> None:
        self._death = reason
        self._outcomes.put(None)  # whoever waits for an answer learns of it at once
