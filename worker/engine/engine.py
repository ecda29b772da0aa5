"""The engine: envelopes in, outcomes out. The one place that wires the batching core's threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue

from sluice.tasks.errors import Revoked
from sluice.worker.engine.batcher import Batcher, Stages
from sluice.worker.engine.cache_reader import AnswerCache, CacheReader
from sluice.worker.engine.capacity import Capacity
from sluice.worker.engine.encoder import Encoder
from sluice.worker.engine.mail import (
    Abort,
    Begin,
    Drain,
    EngineNote,
    InFlightEnvelope,
    NewConnection,
    NotStored,
    SchedulerNote,
    Trial,
)
from sluice.worker.engine.model_thread import ModelThread
from sluice.worker.engine.scheduler import Scheduler

GIVE_UP_CHECK_S = 0.1


class Engine:
    """Runs envelopes' messages in batches.

    Its methods may be called from any thread; ``drain`` and ``abort`` wait, the others never do.

    Args:
        capacity: the classifier, loaded and warm, and what its batches hold.
        revoked: why an envelope must not run any more, or None; asked from the batcher thread.
        emit: gets what comes out, from several threads, ``Ended`` as the last; may block, which holds the model up.
        on_death: called from a dying thread with the reason; the engine is of no use then.
        cache: asked before texts are computed; None: there is none.
    """

    def __init__(
        self,
        capacity: Capacity,
        revoked: Callable[[InFlightEnvelope], Revoked | None],
        emit: Callable[[EngineNote], None],
        on_death: Callable[[str], None],
        cache: AnswerCache | None = None,
    ) -> None:
        self._inbox: SimpleQueue[SchedulerNote] = SimpleQueue()
        told, classifier = self._inbox.put, capacity.classifier
        self._model = ModelThread(classifier, to_batcher=told, emit=emit, on_death=on_death)
        share = capacity.settings.deduplicate
        self._encoder = Encoder(classifier, share=share, to_batcher=told, on_death=on_death)
        self._reader = CacheReader(cache, to_batcher=told, on_death=on_death) if cache is not None else None
        self._scheduler = Scheduler(
            capacity.policy(), capacity.limits(), revoked, cached=cache is not None, encoders=capacity.encoders
        )
        stages = Stages(self._encoder, self._model, self._reader)
        self._batcher = Batcher(self._scheduler, self._inbox, stages, emit, on_death)

    def start(self) -> None:
        for thread in (self._model, self._reader, self._encoder, self._batcher):
            if thread is not None:
                thread.start()

    @property
    def buffered(self) -> int:
        """Messages that wait for the model; a snapshot."""
        return self._scheduler.buffered

    def submit(self, envelope: InFlightEnvelope) -> None:
        """Take an envelope. Whoever submits bounds how many are here."""
        self._inbox.put(envelope)

    def tell(self, note: NotStored | Trial | Begin) -> None:
        """Answer a ``Check`` or an ``Alone``, or ask for a trial."""
        self._inbox.put(note)

    def forget(self, generation: int) -> None:
        """Drop what waits of envelopes before this generation: they will be submitted again."""
        self._inbox.put(NewConnection(generation))

    def drain(self, limit_s: float, abandon: Callable[[], bool] = lambda: False) -> bool:
        """Finish the envelopes that the model has begun, forget the others, end. Whether that was done in time.

        Args:
            abandon: asked again and again; true: it is not waited for any longer.
        """
        ends = time.monotonic() + limit_s
        self._inbox.put(Drain())
        for thread in (self._batcher, self._model):
            while thread.is_alive() and time.monotonic() < ends and not abandon():
                thread.join(GIVE_UP_CHECK_S)
        return not self._batcher.is_alive() and not self._model.is_alive()

    def abort(self, limit_s: float) -> None:
        """End at once, but for the batches that the model has; waits for these so many seconds."""
        self._inbox.put(Abort())
        ends = time.monotonic() + limit_s
        for thread in (self._batcher, self._encoder, self._reader, self._model):
            if thread is not None:
                thread.join(max(0.0, ends - time.monotonic()))
