"""Keeps a bounded window of envelopes with the workers, and hands the rows back in input order."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from backfill.stop import Stop
from cli.backfill.row import Row
from tasks.client import Client
from tasks.errors import BackendUnavailable, BrokerUnavailable

POLL_S = 0.25
#: Seconds without any answer after which stored results are looked up, in case replies were lost.
ASK_AFTER_S = 2.0
#: Seconds without any answer after which envelopes that are neither stored nor queued are published again. Well
#: over the time in which the broker gives a dead worker's envelopes to another.
STALLED_AFTER_S = 150.0
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0)


@dataclass
class Envelope:
    """Rows that travel together; ``sent`` are those of them that are worth sending."""

    rows: Sequence[Row]
    identity: str = field(default_factory=lambda: str(uuid4()))
    sent: list[Row] = field(init=False)
    missing: int = field(init=False)

    def __post_init__(self) -> None:
        self.sent = [row for row in self.rows if row.entry is None]
        self.missing = len(self.sent)

    def answer(self, index: int, entry: dict[str, object]) -> None:
        """Take the answer of one sent row. The first one counts: work may run twice, its result appears once."""
        if 0 <= index < len(self.sent) and self.sent[index].entry is None:
            self.sent[index].entry = entry
            self.missing -= 1


class Sender:
    """Publishes envelopes on one lane, at most ``window`` of them unfinished.

    Args:
        client: an open client.
        lane: ``bulk`` or ``interactive``.
        window: envelopes between the oldest unanswered row and the newest one read; bounds the memory.
        note: called with one sentence when the operator should know what is being waited for.
        stop: asked in every wait and before everything that is sent.
    """

    def __init__(self, client: Client, lane: str, window: int, note: Callable[[str], None], stop: Stop) -> None:
        self._client = client
        self._lane = lane
        self._window = window
        self._note = note
        self._stop = stop
        self._open: OrderedDict[str, Envelope] = OrderedDict()
        self._last_answer = self._last_ask = time.monotonic()
        self._published = False

    @property
    def full(self) -> bool:
        return len(self._open) >= self._window

    @property
    def outstanding(self) -> list[str]:
        """Ids of the envelopes that still lack answers."""
        return [one.identity for one in self._open.values() if one.missing]

    def send(self, rows: Sequence[Row]) -> None:
        """Publish ``rows`` as one envelope, waiting for as long as the broker is away.

        Raises:
            BrokerUnavailable: it was never there.
            Stopped: a stop was asked for.
        """
        self._stop.check()
        if not self.outstanding:
            self._last_answer = time.monotonic()
        envelope = Envelope(rows)
        self._open[envelope.identity] = envelope
        if envelope.missing:
            self._publish(envelope)

    def take(self) -> list[Row]:
        """Rows that are complete up to the first unfinished envelope, in input order; never waits."""
        done: list[Envelope] = []
        while self._open and not next(iter(self._open.values())).missing:
            done.append(self._open.popitem(last=False)[1])
        # Millions of rows would otherwise fill the backend until they expire.
        if sent := [one.identity for one in done if one.sent]:
            self._client.forget(sent)
        return [row for one in done for row in one.rows]

    def wait(self) -> None:
        """Wait a moment for answers, and look after those that fail to come.

        Raises:
            Stopped: a stop was asked for.
        """
        self._stop.check()
        if not self.outstanding:
            return
        for identity, answers in self._client.replies(POLL_S):
            self._last_answer = time.monotonic()
            envelope = self._open.get(identity)
            if envelope is not None:
                for index, entry in answers:
                    envelope.answer(index, entry)
        now = time.monotonic()
        if now - max(self._last_answer, self._last_ask) > ASK_AFTER_S:
            self._last_ask = now
            self._look_up()

    def give_up(self) -> None:
        """Ask the workers to drop what has not run."""
        self._client.revoke(self.outstanding)

    def _publish(self, envelope: Envelope) -> None:
        attempt = 0
        while True:
            self._stop.check()
            try:
                self._client.publish(
                    [row.text or "" for row in envelope.sent], lane=self._lane, envelope_id=envelope.identity
                )
            except BrokerUnavailable as exc:
                if not self._published:
                    raise
                self._note(f"{exc.message}; waiting for it")
                self._stop.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
                attempt += 1
            else:
                self._published = True
                return

    def _look_up(self) -> None:
        """Take results whose reply was lost; say what is being waited for; repeat what got lost."""
        waiting = [one for one in self._open.values() if one.missing]
        try:
            stored = self._client.fetch([one.identity for one in waiting])
            workers = self._client.workers()
        except BackendUnavailable as exc:
            self._note(f"{exc.message}; waiting for it")
            return
        for envelope, found in zip(waiting, stored, strict=True):
            if found.ready:
                self._last_answer = time.monotonic()
                for index, entry in enumerate(found.entries(len(envelope.sent))):
                    envelope.answer(index, entry)
        if not workers:
            self._note("no worker is ready; waiting for one (`sluice worker` starts one)")
        elif time.monotonic() - self._last_answer > STALLED_AFTER_S:
            self._repeat([one for one in waiting if one.missing])

    def _repeat(self, lost: Sequence[Envelope]) -> None:
        """Publish again, under the same ids, what a broker without persistence has forgotten."""
        try:
            if self._client.waiting(self._lane):
                return
        except BrokerUnavailable as exc:
            self._note(f"{exc.message}; waiting for it")
            return
        self._note(f"{len(lost)} envelopes are neither queued nor answered; sending them again")
        self._last_answer = time.monotonic()
        for envelope in lost:
            self._publish(envelope)
