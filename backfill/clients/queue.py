"""Through the broker to the workers, and back over a reply list; looks after what fails to come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sluice.backfill.clients.base import Demand, IndexedEntries
from sluice.backfill.run.stop import Stop
from sluice.config.settings import Settings
from sluice.tasks.client import Client
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.results import entries_of
from sluice.tasks.shape import envelope_messages
from sluice.tasks.verdicts import objection
from sluice.tasks.wire.status import WorkerStatus

log = logging.getLogger(__name__)

#: Seconds between two looks at the workers' statuses while all goes well.
LOOK_EVERY_S = 2.0
#: Seconds between two looks at envelopes that are overdue.
ASK_EVERY_S = 1.0
#: An envelope is overdue after so many times what envelopes take now, and never before ``OVERDUE_S`` seconds; each
#: time that it is sent again, its time doubles, up to ``MAX_OVERDUE_S``: a worker that was away for an hour has made
#: envelopes slow that will not be slow again. Work may run twice, its result counts once.
OVERDUE_TIMES = 4.0
OVERDUE_S, MAX_OVERDUE_S = 8.0, 1_800.0
#: Share of the newest envelope in what envelopes take.
WEIGHT = 0.1
#: A worker is kept busy for so many seconds, and so many batches; what it holds itself is less.
BUSY_S, BUSY_BATCHES = 0.3, 4
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0)


@dataclass(slots=True)
class SentEnvelope:
    """An envelope under way; ``order`` grows with every envelope that is sent, again or for the first time."""

    texts: Sequence[str]
    order: int
    at: float
    times: int = 1


class QueueClient:
    """A ``ClassifierClient`` over the broker.

    Args:
        settings: which broker and backend.
        lane: ``bulk`` or ``interactive``.
        options: what answers hold besides label and probability.
        note: called with one sentence when the operator should know what is being waited for.
        stop: asked in every wait and before everything that is sent.
        client: stands in for the client of these settings, in tests.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        lane: str = "bulk",
        options: PredictionOptions = LABEL_ONLY,
        note: Callable[[str], None],
        stop: Stop,
        client: Client | None = None,
    ) -> None:
        self._client = client or Client(settings)
        self._lane = lane
        self._options = options
        self._note = note
        self._stop = stop
        self._sent: dict[str, SentEnvelope] = {}
        self._order = self._answered_order = 0
        self._takes_s = 0.0
        self._published = False
        self._workers: list[WorkerStatus] = []
        self._demand = Demand()
        self._looked = self._asked = float("-inf")
        self._answered_at = time.monotonic()

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._client.__exit__(kind, exc, tb)

    def labels(self) -> list[str]:
        """The labels of the model that the workers have loaded; waits for one.

        Raises:
            BackendUnavailable: there is no result backend.
            Stopped: a stop was asked for.
        """
        return list(self._some_workers()[0].labels)

    def require_verdicts(self) -> None:
        for worker in self._some_workers():
            if error := objection([worker]):
                raise error

    def _some_workers(self) -> list[WorkerStatus]:
        while not (workers := self._client.workers()):
            self._note("no worker is ready; waiting for one (`sluice worker` starts one)")
            self._stop.sleep(ASK_EVERY_S)
        return workers

    def version(self) -> tuple[str, str] | None:
        self._look()
        serving = {worker.model.key for worker in self._workers}
        return serving.pop() if len(serving) == 1 else None

    def demand(self) -> Demand:
        if time.monotonic() - self._looked > LOOK_EVERY_S:
            self._look()
        return self._demand

    def send(self, envelope_id: str, texts: Sequence[str]) -> None:
        self._order += 1
        self._sent[envelope_id] = SentEnvelope(texts, self._order, time.monotonic())
        self._publish(envelope_id, texts)

    def receive(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
        self._stop.check()
        replies = self._client.replies(timeout_s)
        now = time.monotonic()
        if replies:
            self._answered_at = now
        for identity, _ in replies:
            sent = self._sent.get(identity)
            if sent is not None:
                self._answered_order = max(self._answered_order, sent.order)
        # Who does not wait shall not wait for a frozen backend either.
        if timeout_s > 0 and now - self._asked > ASK_EVERY_S:
            self._asked = now
            overdue = self._overdue(now)
            if overdue:
                replies += self._look_up(overdue)
        return replies

    def done(self, envelope_ids: Sequence[str]) -> None:
        now = time.monotonic()
        for identity in envelope_ids:
            sent = self._sent.pop(identity, None)
            if sent is not None and sent.times == 1:
                took = now - sent.at
                self._takes_s = (1 - WEIGHT) * self._takes_s + WEIGHT * took if self._takes_s else took
        # Millions of rows would otherwise fill the backend until they expire.
        self._client.forget(envelope_ids)

    def abandon(self, envelope_ids: Sequence[str]) -> None:
        for identity in envelope_ids:
            self._sent.pop(identity, None)
        self._client.revoke(envelope_ids)

    def _publish(self, envelope_id: str, texts: Sequence[str]) -> None:
        attempt = 0
        while True:
            self._stop.check()
            try:
                self._client.publish(texts, lane=self._lane, envelope_id=envelope_id, options=self._options)
            except BrokerUnavailable as exc:
                if not self._published:
                    raise
                self._note(f"{exc.message}; waiting for it")
                self._stop.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
                attempt += 1
            else:
                self._published = True
                return

    def _look(self) -> bool:
        """Ask for the workers' statuses; False, and what was known, if the backend is absent."""
        self._looked = time.monotonic()
        try:
            self._workers = self._client.workers()
        except BackendUnavailable as exc:
            self._note(f"{exc.message}; waiting for it")
            return False
        if self._workers:
            self._demand = demand_of(self._workers)
        return True

    def _overdue(self, now: float) -> list[str]:
        patience = max(OVERDUE_S, OVERDUE_TIMES * self._takes_s)
        return [
            identity
            for identity, sent in self._sent.items()
            if now - sent.at > min(patience * 2.0 ** min(sent.times - 1, 10), MAX_OVERDUE_S)
        ]

    def _look_up(self, overdue: Sequence[str]) -> list[tuple[str, IndexedEntries]]:
        """Results whose reply was lost; says what is being waited for; sends again what got lost."""
        if not self._look():
            return []
        self._stop.check()
        try:
            stored = self._client.fetch(overdue)
        except BackendUnavailable as exc:
            self._note(f"{exc.message}; waiting for it")
            return []
        found: list[tuple[str, IndexedEntries]] = []
        missing: list[str] = []
        for identity, one in zip(overdue, stored, strict=True):
            if one.ready:
                found.append((identity, list(enumerate(entries_of(one, len(self._sent[identity].texts))))))
            else:
                missing.append(identity)
        if missing and not self._workers:
            self._note("no worker is ready; waiting for one (`sluice worker` starts one)")
        elif missing:
            self._repeat(missing)
        return found

    def _repeat(self, missing: Sequence[str]) -> None:
        """Publish again, under the same ids, what later envelopes have overtaken, and all of it if nobody holds any.

        So it is with a dead worker's envelopes until the broker hands them on, and with what a broker without
        persistence has forgotten.
        """
        try:
            queued = self._client.waiting(self._lane)
        except BrokerUnavailable as exc:
            self._note(f"{exc.message}; waiting for it")
            return
        held = queued or any(worker.queue.buffered for worker in self._workers)
        lost = [one for one in missing if not held or self._sent[one].order < self._answered_order]
        if not lost and time.monotonic() - self._answered_at > OVERDUE_S:
            self._note(
                f"no answers come; waiting for workers that are busy, or take nothing from the {self._lane} lane"
            )
        if lost:
            log.info("%d envelopes are neither queued nor answered: sent again", len(lost))
        for identity in lost:
            sent = self._sent[identity]
            self._order += 1
            sent.order, sent.at, sent.times = self._order, time.monotonic(), sent.times + 1
            self._publish(identity, sent.texts)


def demand_of(workers: Sequence[WorkerStatus]) -> Demand:
    """What keeps workers with these statuses busy."""
    messages = envelope_messages(workers)
    held = 0.0
    for worker in workers:
        if (batch := worker.full_batch) is not None:
            held += max(BUSY_BATCHES * batch.messages, BUSY_S * batch.messages / max(batch.seconds, 1e-6))
    return Demand(messages, max(int(held), messages) + messages)
