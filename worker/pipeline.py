"""Wires the three threads to each other and to the main thread, and takes them down again."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.worker import state as worker_state

from sluice.tasks.errors import Revoked
from sluice.tasks.redis_client import connect
from sluice.tasks.server import Availability, Server
from sluice.tasks.wire.status import CascadeCounts, Cost, FullBatch, Held, ServedModel, Verdicts, WorkerStatus
from sluice.worker.consumer.waker import Waker
from sluice.worker.delivery.result_cache import ResultCache
from sluice.worker.delivery.result_store import ResultStore
from sluice.worker.delivery.result_writer import ResultWriter
from sluice.worker.delivery.stats import Stats
from sluice.worker.delivery.weeks import WeekWriter
from sluice.worker.engine.batcher import Batcher
from sluice.worker.engine.cache_reader import TIMEOUT_S as LOOKUP_TIMEOUT_S, CacheReader
from sluice.worker.engine.capacity import Capacity
from sluice.worker.engine.encoder import Encoder
from sluice.worker.engine.entries import Entries
from sluice.worker.engine.mail import Drain, InFlightEnvelope, NewConnection
from sluice.worker.engine.model_thread import ModelThread
from sluice.worker.model.cascade import Cascade
from sluice.worker.model.judge import Judge

log = logging.getLogger(__name__)

#: Seconds a warm shutdown may spend on envelopes the model has begun; then they go back to the broker too.
DRAIN_LIMIT_S = 30.0
GIVE_UP_CHECK_S = 0.1


class Pipeline:
    """The worker behind the hub: ``accept`` envelopes, get notes back through ``notes``.

    Args:
        capacity: the classifier, loaded and warm.
        waker: told when ``notes`` has grown; brings the main thread to take them.
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
        answered: Callable[[], None],
        on_death: Callable[[str], None],
    ) -> None:
        self.capacity = capacity
        self.settings, self.classifier = capacity.settings, capacity.classifier
        self.judge = Judge(self.classifier.labels, self.classifier.info, self.settings)
        self.hostname = hostname
        self.generation = 0
        self.stats = Stats(capacity.classifier.labels)
        self.notes: deque[Any] = deque()
        self._consuming = False
        self._waker = waker
        self._answered = answered
        self._on_death = on_death
        self._build(app)

    def _build(self, app: Celery) -> None:
        settings = self.settings
        client = connect(settings.backend)
        cache = ResultCache(self.classifier, settings.result_cache_ttl_s) if settings.result_cache_ttl_s else None
        self._writer = ResultWriter(
            app,
            ResultStore(app, client, self.hostname, settings.result_ttl_s),
            Entries(self.classifier, self.judge),
            self.stats,
            to_main=self._to_main,
            to_batcher=self._to_batcher,
            status=self.status,
            generation=lambda: self.generation,
            answered=self._answered,
            cache=cache,
            weeks=WeekWriter(client, self.classifier.info),
            on_death=self._on_death,
        )
        self._lookup = self._make_lookup(cache)
        self._model = ModelThread(
            self.classifier,
            to_batcher=self._to_batcher,
            to_deliver=self._writer.inbox.put,
            on_death=self._on_death,
        )
        share = settings.deduplicate
        self._encoder = Encoder(self.classifier, share=share, to_batcher=self._to_batcher, on_death=self._on_death)
        self._batcher = Batcher(
            self.capacity.policy(),
            self.capacity.limits(),
            encode=self._encoder.encode,
            to_encoder=self._encoder.inbox.put,
            to_model=self._model.inbox.put,
            take_back=self._model.take_back,
            to_lookup=self._lookup.inbox.put if self._lookup else None,
            to_deliver=self._writer.inbox.put,
            to_main=self._to_main,
            revoked=revoked,
            share=share,
            encoders=self.capacity.encoders,
            on_death=self._on_death,
        )

    def _make_lookup(self, cache: ResultCache | None) -> CacheReader | None:
        if cache is None:
            return None
        client = connect(self.settings.backend, socket_timeout=LOOKUP_TIMEOUT_S)
        availability = Availability(Server.backend(self.settings), log, "nothing is looked up in the result cache")
        return CacheReader(
            cache, client, to_batcher=self._to_batcher, on_death=self._on_death, availability=availability
        )

    def start(self) -> None:
        for thread in (self._writer, self._model, self._lookup, self._encoder, self._batcher):
            if thread is not None:
                thread.start()

    def accept(self, envelope: InFlightEnvelope) -> None:
        """Hand an envelope over; never blocks. The broker's prefetch window bounds how many are here."""
        self._batcher.inbox.put(envelope)

    def consuming(self, yes: bool) -> None:
        """Whether messages are being taken from the broker: the worker is ready only while they are."""
        self._consuming = yes
        self._writer.report_soon()

    def new_connection(self) -> int:
        """Start the next generation of deliveries; older ones will come again and are forgotten."""
        self.generation += 1
        self._batcher.inbox.put(NewConnection(self.generation))
        self._waker.again()
        return self.generation

    def drain(self, limit_s: float = DRAIN_LIMIT_S, give_up: Callable[[], bool] = lambda: False) -> None:
        """Finish and store what the model has begun; then end the threads. At most ``limit_s`` plus a moment.

        Args:
            give_up: asked again and again; true leaves what the model has to the broker at once.
        """
        ends = time.monotonic() + limit_s
        self._batcher.inbox.put(Drain())
        for thread in (self._batcher, self._model):
            while thread.is_alive() and time.monotonic() < ends and not give_up():
                thread.join(GIVE_UP_CHECK_S)
        if self._batcher.is_alive() or self._model.is_alive():
            log.warning("not waited for any longer: the messages in the model go back to the broker")
        self._writer.join(max(1.0, ends - time.monotonic()) if not self._model.is_alive() else 1.0)
        if self._writer.is_alive():
            self._writer.hurry()
            self._writer.join(6.0)

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
            queue=Held(buffered=self._batcher.buffered, held=len(worker_state.reserved_requests)),
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

    def _to_batcher(self, note: Any) -> None:
        self._batcher.inbox.put(note)

    def _to_main(self, note: Any) -> None:
        self.notes.append(note)
        self._waker.wake()


def revoked(envelope: InFlightEnvelope) -> Revoked | None:
    """Why an envelope must not run any more, or None. Reads only; safe from any thread."""
    if envelope.expires is not None and time.time() > envelope.expires:
        return Revoked("the message was expired before it was classified", {"expired": True})
    if envelope.id in worker_state.revoked:
        return Revoked("the message was revoked before it was classified", {"expired": False})
    return None
