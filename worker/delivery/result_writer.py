"""The result writer: owns the result-store connection. Stores and replies, then hands completions to main."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from queue import Empty, Full, Queue
from typing import assert_never

import redis
from celery import Celery

from sluice.tasks.app import settings_of
from sluice.tasks.errors import Revoked, SluiceError, from_code
from sluice.tasks.outage import is_outage
from sluice.tasks.server import Availability, Server
from sluice.tasks.wire.entry import failure, fault_of, is_prediction
from sluice.tasks.wire.status import WorkerStatus
from sluice.worker.delivery.followups import FollowUps
from sluice.worker.delivery.patience import Interrupted, T
from sluice.worker.delivery.quarantine import Quarantine
from sluice.worker.delivery.result_cache import ResultCache
from sluice.worker.delivery.result_store import EnvelopeResult, PendingReplies, ResultStore
from sluice.worker.delivery.stats import Stats
from sluice.worker.delivery.weeks import WeekWriter
from sluice.worker.engine.entries import Entries
from sluice.worker.engine.guard import GuardedThread
from sluice.worker.engine.mail import (
    Alone,
    Begin,
    Check,
    Dropped,
    Ended,
    Finished,
    InFlightEnvelope,
    NotStored,
    Outcome,
    ReportStatus,
    Started,
    Trial,
    WriterNote,
)

log = logging.getLogger(__name__)

#: Notes that may wait for this thread; a full queue holds the model up, and so the broker.
QUEUE_LIMIT = 32
STATUS_INTERVAL_S = 2.0
BACKOFF_FIRST_S, BACKOFF_MOST_S = 0.1, 3.0


class ResultWriter(GuardedThread):
    """Stores results, answers waiting web processes and reports the worker's status.

    Args:
        app: the worker's Celery app, for what clients hang on results.
        store: the result store; used in this thread only.
        entries: makes what callers get of the answers.
        stats: written in this thread only.
        to_main: gets ``Finished`` for each envelope whose result is stored.
        to_batcher: gets the redelivered envelopes that must run.
        status: the worker's status as others may read it, made from the stats.
        generation: that of the broker connection now.
        answered: called after each batch that the model has answered.
        cache: where answers are kept for texts that come again; None: nowhere.
        weeks: where the figures of this week are kept; used in this thread only.
    """

    def __init__(
        self,
        app: Celery,
        store: ResultStore,
        entries: Entries,
        stats: Stats,
        *,
        to_main: Callable[[Finished], None],
        to_batcher: Callable[[NotStored | Trial | Begin], None],
        status: Callable[[], WorkerStatus],
        generation: Callable[[], int],
        answered: Callable[[], None] = lambda: None,
        cache: ResultCache | None = None,
        weeks: WeekWriter,
        on_death: Callable[[str], None],
    ) -> None:
        super().__init__("result-writer", on_death)
        self.inbox: Queue[WriterNote] = Queue(QUEUE_LIMIT)
        self._store = store
        self._follow_ups = FollowUps(app, self._patiently)
        self._entries = entries
        self._stats = stats
        self._to_main, self._to_batcher = to_main, to_batcher
        self._status = status
        self._status_due = 0.0
        settings = settings_of(app)
        self._backend = Availability(Server.backend(settings), log, "answers wait while the result store is away")
        self._broker = Availability(Server.broker(settings), log, "what clients hung on results waits")
        self._hurry = False
        self._quarantine = Quarantine(store, self._patiently, to_batcher, generation)
        self._answered = answered
        self._cache = cache
        self._weeks = weeks

    def hurry(self) -> None:
        """Give up waiting for a result store that is away; what is not stored goes back to the broker."""
        self._hurry = True

    def report_soon(self) -> None:
        """Write the status now, not when it is due; from any thread, never blocks."""
        self._status_due = 0.0
        with contextlib.suppress(Full):  # then it is about to be written anyway
            self.inbox.put_nowait(ReportStatus())

    def work(self) -> None:
        self._follow_ups.own_thread()
        while True:
            notes = self._notes()
            if notes:
                with contextlib.suppress(Interrupted):  # nothing of it is acknowledged, so it goes back to the broker
                    self._deliver(notes)
            if time.monotonic() >= self._status_due:
                self._report()
            if notes and isinstance(notes[-1], Ended):
                break
        self._report()
        with contextlib.suppress(redis.RedisError):
            self._store.forget_worker()

    def _notes(self) -> list[WriterNote]:
        """Everything that waits, at least one note unless the status is due first."""
        notes: list[WriterNote] = []
        try:
            notes.append(self.inbox.get(timeout=max(0.01, self._status_due - time.monotonic())))
            while not isinstance(notes[-1], Ended) and len(notes) < QUEUE_LIMIT:
                notes.append(self.inbox.get_nowait())
        except Empty:
            pass
        return notes

    def _deliver(self, notes: Sequence[WriterNote]) -> None:
        """One pipeline for all notes, then their completions."""
        replies, done, started, cached, checks = PendingReplies(), [], [], [], []
        for note in notes:
            match note:
                case Outcome():
                    done += self._record(note, replies)
                    if note.origin == "model":
                        self._answered()
                    cached += self._to_keep(note)
                case Dropped():
                    done.append(self._drop(note, replies))
                case Started():
                    started += note.envelopes
                case Alone():
                    self._quarantine.alone(note)
                case Check():
                    checks.append(note.envelope)
                case Ended() | ReportStatus():
                    pass  # the status is due, and the end is seen to by ``work``
                case _:
                    assert_never(note)
        if done or replies or started or cached:
            ttl_s = self._cache.ttl_s if self._cache else 0
            self._patiently(lambda: self._store.write(done, replies, started, cached, ttl_s))
            self._complete([one for one in done if self._follow_up(one)])
        if checks:
            self._check(checks)
        if refused := self._quarantine.go_on():
            self._deliver(refused)

    def _record(self, outcome: Outcome, replies: PendingReplies) -> list[EnvelopeResult]:
        """Write the answers into their envelopes; returns the envelopes that are complete now."""
        self._stats.outcome(outcome)
        complete = []
        for envelope, index, entry in self._entries.of(outcome):
            envelope.answers[index] = entry
            envelope.left -= 1
            if envelope.reply_to:
                replies.add(envelope, index, entry)
            if not envelope.left:
                complete.append(_stored(envelope))
        return complete

    def _to_keep(self, outcome: Outcome) -> list[tuple[bytes, bytes]]:
        """What goes into the result cache: no errors, they may not come again."""
        if self._cache is None or outcome.cache_keys is None:
            return []
        pairs = zip(outcome.cache_keys, outcome.answers, strict=True)
        return [(key, self._cache.pack(answer)) for key, answer in pairs if key and not isinstance(answer, SluiceError)]

    def _drop(self, note: Dropped, replies: PendingReplies) -> EnvelopeResult:
        envelope, error = note.envelope, note.error
        for index, message in enumerate(envelope.messages):
            replies.add(envelope, index, failure(message.id, error.code, error.message))
        return EnvelopeResult(envelope, "REVOKED" if isinstance(error, Revoked) else "FAILURE", error=error)

    def _follow_up(self, stored: EnvelopeResult) -> bool:
        """Start what hangs on it; False: not now, so the envelope must come again."""
        try:
            self._follow_ups.start(stored)
        except Interrupted:
            return False
        return True

    def _complete(self, done: list[EnvelopeResult]) -> None:
        now = time.monotonic()
        for stored in done:
            self._stats.envelope(stored)
            runtime = now - (stored.envelope.started or now)
            self._to_main(Finished(stored.envelope, stored.state, stored.summary(), runtime, stored.error))
            try:
                self._quarantine.end(stored.envelope)
            except Interrupted:
                continue  # the others are done all the same

    def _check(self, envelopes: list[InFlightEnvelope]) -> None:
        """Redelivered envelopes: those with a stored result are complete, the others run.

        One that comes back for the second time, or that the broker gave up, may be what stopped its workers: it runs
        alone.
        """
        verdicts = self._patiently(lambda: self._store.redelivered(envelopes))
        run = []
        for envelope, (stored, first, ends) in zip(envelopes, verdicts, strict=True):
            if stored is not None:
                if self._follow_up(stored):
                    self._to_main(Finished(envelope, stored.state, "stored before", 0.0))
            elif first and not envelope.dead:
                run.append(envelope)
            else:
                self._quarantine.suspect(envelope, ends)
        if run:
            self._to_batcher(NotStored(run))

    def _report(self) -> None:
        self._status_due = time.monotonic() + STATUS_INTERVAL_S
        try:
            self._store.report(self._status())
            self._weeks.add(self._stats.answers)
        except redis.RedisError as exc:
            self._backend.lost(exc)
        else:
            self._backend.back()

    def _patiently(self, action: Callable[[], T]) -> T:
        """Run ``action`` until its server takes it, with back-off; what else it raises is its own.

        Raises:
            Interrupted: the server is away, and nobody is to wait for it any more.
        """
        wait = BACKOFF_FIRST_S
        while True:
            try:
                done = action()
            except Exception as exc:
                if not is_outage(exc):
                    raise
                error = (self._backend if isinstance(exc, redis.RedisError) else self._broker).lost(exc)
                if self._hurry:
                    log.error("not stored, messages go back: %s", error.operator_message)
                    raise Interrupted from exc
                time.sleep(wait)
                wait = random.uniform(0.5, 1) * min(BACKOFF_MOST_S, wait * 4)
            else:
                self._backend.back()
                self._broker.back()
                return done


def _stored(envelope: InFlightEnvelope) -> EnvelopeResult:
    """The stored form of a complete envelope; a single text that failed is a failed task."""
    answers = [answer for answer in envelope.answers if answer is not None]
    if not envelope.single:
        return EnvelopeResult(envelope, "SUCCESS", answers)
    if is_prediction(answers[0]):
        return EnvelopeResult(envelope, "SUCCESS", answers[0])
    fault = fault_of(answers[0])
    return EnvelopeResult(envelope, "FAILURE", error=from_code(fault["code"], fault["message"]))
