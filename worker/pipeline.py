"""Joins the engine to the main thread before it and to the result writer behind it, and takes them down again."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from celery import Celery

from sluice.tasks.errors import Revoked
from sluice.tasks.redis_client import connect
from sluice.tasks.server import Availability, Server
from sluice.tasks.wire.status import CascadeCounts, Cost, FullBatch, Held, ServedModel, Verdicts, WorkerStatus
from sluice.worker.delivery.cached_answers import TIMEOUT_S, CachedAnswers
from sluice.worker.delivery.result_cache import ResultCache
from sluice.worker.delivery.result_store import ResultStore
from sluice.worker.delivery.result_writer import ResultWriter
from sluice.worker.delivery.stats import Stats
from sluice.worker.delivery.weeks import WeekWriter
from sluice.worker.engine.capacity import Capacity
from sluice.worker.engine.engine import Engine
from sluice.worker.engine.entries import Entries
from sluice.worker.engine.mail import EngineNote, HubNote, InFlightEnvelope, Started
from sluice.worker.model.cascade import Cascade
from sluice.worker.model.judge import Judge

log = logging.getLogger(__name__)

#: Seconds a warm shutdown may spend on envelopes the model has begun; then they go back to the broker too.
DRAIN_LIMIT_S = 30.0


class Waker(Protocol):
    """Brings the main thread to take ``notes``."""

    def wake(self) -> None:
        """From any thread."""

    def again(self) -> None:
        """From the main thread, when the broker connection is new."""


class Pipeline:
    """The worker behind the hub: ``accept`` envelopes, get notes back through ``notes``.

    Args:
        capacity: the classifier, loaded and warm.
        waker: told when ``notes`` has grown.
        revoked: why an envelope must not run any more, or None; asked from another thread.
        held: envelopes that are not acknowledged; asked from another thread.
        answered: called from another thread when the model has answered a batch.
        on_death: called from a dying thread with the reason.
    """

    def __init__(
        self,
        app: Celery,
        capacity: Capacity,
        hostname: str,
        *,
        waker: Waker,
        revoked: Callable[[InFlightEnvelope], Revoked | None],
        held: Callable[[], int],
        answered: Callable[[], None],
        on_death: Callable[[str], None],
    ) -> None:
        self.capacity = capacity
        self.settings, self.classifier = capacity.settings, capacity.classifier
        self.judge = Judge(self.classifier.labels, self.classifier.info, self.settings)
        self.hostname = hostname
        self.generation = 0
        self.stats = Stats(capacity.classifier.labels)
        self.notes: deque[HubNote] = deque()
        self._consuming = False
        self._waker = waker
        self._held = held
        settings, client = self.settings, connect(self.settings.backend)
        cache = ResultCache(self.classifier, settings.result_cache_ttl_s) if settings.result_cache_ttl_s else None
        self._engine = Engine(capacity, revoked, self.emit, on_death, self._cached_answers(cache))
        self.writer = ResultWriter(
            app,
            ResultStore(app, client, hostname, settings.result_ttl_s),
            Entries(self.classifier, self.judge),
            self.stats,
            to_main=self._to_main,
            to_batcher=self._engine.tell,
            status=self.status,
            generation=lambda: self.generation,
            answered=answered,
            cache=cache,
            weeks=WeekWriter(client, self.classifier.info),
            on_death=on_death,
        )

    def _cached_answers(self, cache: ResultCache | None) -> CachedAnswers | None:
        if cache is None:
            return None
        client = connect(self.settings.backend, socket_timeout=TIMEOUT_S)
        availability = Availability(Server.backend(self.settings), log, "nothing is looked up in the result cache")
        return CachedAnswers(cache, client, availability)

    def start(self) -> None:
        self.writer.start()
        self._engine.start()

    def accept(self, envelope: InFlightEnvelope) -> None:
        """Hand an envelope over; never blocks. The broker's prefetch window bounds how many are here."""
        self._engine.submit(envelope)

    def consuming(self, yes: bool) -> None:
        """Whether messages are being taken from the broker: the worker is ready only while they are."""
        self._consuming = yes
        self.writer.report_soon()

    def new_connection(self) -> int:
        """Start the next generation of deliveries; older ones will come again and are forgotten."""
        self.generation += 1
        self._engine.forget(self.generation)
        self._waker.again()
        return self.generation

    def drain(self, limit_s: float = DRAIN_LIMIT_S, abandon: Callable[[], bool] = lambda: False) -> None:
        """Finish and store what the model has begun; then end the threads. At most ``limit_s`` plus a moment.

        Args:
            abandon: asked again and again; true leaves what the model has to the broker at once.
        """
        ends = time.monotonic() + limit_s
        in_time = self._engine.drain(limit_s, abandon)
        if not in_time:
            log.warning("not waited for any longer: the messages in the model go back to the broker")
        self.writer.join(max(1.0, ends - time.monotonic()) if in_time else 1.0)
        if self.writer.is_alive():
            self.writer.hurry()
            self.writer.join(6.0)

    def status(self) -> WorkerStatus:
        """What other processes may know of this worker."""
        capacity, stats = self.capacity, self.stats
        return WorkerStatus(
            hostname=self.hostname,
            pid=os.getpid(),
            state="ready" if self._consuming else "waiting",
            model=ServedModel.model_validate(self.classifier.info, from_attributes=True),
            labels=list(self.classifier.labels),
            verdicts=self._verdicts(),
            device=self.classifier.device,
            precision=self.classifier.precision,
            batching=self.settings.batching_mode,
            cost=Cost(batch_ms=round(capacity.cost.a_s * 1e3, 4), token_us=round(capacity.cost.b_s * 1e6, 4)),
            batch_tokens=capacity.batch_tokens,
            full_batch=FullBatch(messages=capacity.batch_messages, seconds=round(capacity.batch_s, 6)),
            queue=Held(buffered=self._engine.buffered, held=self._held()),
            at=time.time(),
            cascade=self._cascade(),
            counters=stats.counters,
            answers=stats.answers,
            batch=stats.batches,
            rate=stats.rate,
            busy_s=stats.busy_s,
            since=stats.since,
        )

    def _verdicts(self) -> Verdicts | None:
        """What is in force; None where there are no thresholds."""
        stated = self.judge.as_json()
        return None if stated is None else Verdicts.model_validate(stated)

    def _cascade(self) -> CascadeCounts | None:
        """Messages that the model answered, and those of them that needed a cascade's second one."""
        one = self.classifier
        return CascadeCounts(answered=one.answered, sent_on=one.sent_on) if isinstance(one, Cascade) else None

    def emit(self, note: EngineNote) -> None:
        """What comes out of the engine; blocks while the result writer is behind, which holds the model up, and so
        fills the broker's prefetch window.
        """
        if isinstance(note, Started):
            self._to_main(note)
            if not any(envelope.group for envelope in note.envelopes):
                return  # only the parts of a job are written down as begun
        self.writer.inbox.put(note)

    def _to_main(self, note: HubNote) -> None:
        self.notes.append(note)
        self._waker.wake()
