"""What a request thread blocks on until its answer comes, and where replies find it.

A waiter is a bare lock, held while there is nothing to tell and released to wake: at thousands of requests a second
a ``concurrent.futures.Future`` (a condition with its own lock and list) costs more than the rest of the wait.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from time import monotonic
from typing import Protocol

from sluice.tasks.errors import SluiceError
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.wire.entry import Entry
from sluice.tasks.wire.reply import IndexedEntries


class Waiter:
    """One message of one request thread, from its arrival to its answer."""

    __slots__ = (
        "_lock",
        "_wants_publish",
        "alone",
        "entry",
        "envelope_id",
        "error",
        "index",
        "options",
        "published",
        "released",
        "text",
        "token",
    )

    def __init__(self, text: str, token: str, options: PredictionOptions = LABEL_ONLY) -> None:
        self.text = text
        self.token = token
        self.options = options
        self.envelope_id = ""
        self.index = 0
        self.alone = False  # no other message travels in its envelope
        self.published = False
        self.released = False
        self.entry: Entry | None = None
        self.error: SluiceError | None = None
        self._wants_publish = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def answer(self, entry: Entry) -> None:
        self.entry = entry
        self.wake()

    def fail(self, error: SluiceError) -> None:
        self.error = error
        self.wake()

    def mark_published(self) -> None:
        self.published = True
        if self._wants_publish:
            self.wake()

    def wake(self) -> None:
        # An unlocked lock: woken before and not yet asleep again, so it will look at every field anyway.
        with suppress(RuntimeError):
            self._lock.release()

    def release(self) -> None:
        """Stop waiting for the answer."""
        self.released = True
        self.wake()

    @property
    def settled(self) -> bool:
        return self.entry is not None or self.error is not None

    def wait(self, seconds: float) -> bool:
        """Block until the message is answered or failed, ``seconds`` are over or the waiter is released."""
        deadline = monotonic() + seconds
        while not self.settled and not self.released:
            left = deadline - monotonic()
            if left <= 0 or not self._lock.acquire(timeout=left):
                break
        return self.settled

    def wait_published(self, seconds: float) -> bool:
        """Block until the message is on the broker, or settled, or ``seconds`` are over."""
        self._wants_publish = True  # before looking: the dispatcher sets ``published`` before it looks at this
        deadline = monotonic() + seconds
        while not self.published and not self.settled:
            left = deadline - monotonic()
            if left <= 0 or not self._lock.acquire(timeout=left):
                break
        return self.published or self.settled


class Receiver(Protocol):
    """Takes the answers of an envelope it was registered for."""

    def receive(self, envelope_id: str, entries: IndexedEntries) -> bool:
        """Take answers; True when nothing more is expected of this envelope."""


class SharedEnvelope:
    """The waiters that travel in one envelope, by their index in it."""

    __slots__ = ("_waiters",)

    def __init__(self, waiters: list[Waiter]) -> None:
        self._waiters = dict(enumerate(waiters))

    def receive(self, envelope_id: str, entries: IndexedEntries) -> bool:
        for index, entry in entries:
            # ``pop`` is atomic: the answer and a waiter that gives up meet here, and one of them gets it.
            waiter = self._waiters.pop(index, None)
            if waiter is not None:
                waiter.answer(entry)
        return not self._waiters

    def abandon(self, index: int) -> bool:
        """Forget a waiter; True when nobody waits for this envelope any more."""
        self._waiters.pop(index, None)
        return not self._waiters


class JobCollector:
    """Gathers a whole job's entries for one request thread.

    Args:
        counts: messages per envelope id, in the job's order.
    """

    def __init__(self, counts: list[tuple[str, int]]) -> None:
        self._entries: dict[str, list[Entry | None]] = {one: [None] * count for one, count in counts}
        self._left = dict(counts)
        self.released = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def receive(self, envelope_id: str, entries: IndexedEntries) -> bool:
        slots = self._entries[envelope_id]
        for index, entry in entries:
            if 0 <= index < len(slots) and slots[index] is None:
                slots[index] = entry
                self._left[envelope_id] -= 1
        if self._left[envelope_id]:
            return False
        if self.complete:
            self.wake()
        return True

    def release(self) -> None:
        """Stop waiting for the entries."""
        self.released = True
        self.wake()

    def wake(self) -> None:
        with suppress(RuntimeError):
            self._lock.release()

    @property
    def complete(self) -> bool:
        return not any(self._left.values())

    def wait(self, seconds: float) -> list[Entry] | None:
        """All entries in the job's order, or None when they did not come in time."""
        deadline = monotonic() + seconds
        while not self.complete and not self.released:
            left = deadline - monotonic()
            if left <= 0 or not self._lock.acquire(timeout=left):
                break
        if not self.complete:
            return None
        return [entry for slots in self._entries.values() for entry in slots if entry is not None]


class Registry:
    """Who waits for which envelope. Every operation is one atomic step on a dict."""

    def __init__(self) -> None:
        self._receivers: dict[str, Receiver] = {}

    def __len__(self) -> int:
        return len(self._receivers)

    def expect(self, envelope_id: str, receiver: Receiver) -> None:
        self._receivers[envelope_id] = receiver

    def forget(self, envelope_id: str) -> None:
        self._receivers.pop(envelope_id, None)

    def abandon(self, waiter: Waiter) -> None:
        """A request thread goes home: its waiter, and the envelope when it was the last one, are forgotten."""
        receiver = self._receivers.get(waiter.envelope_id)
        if isinstance(receiver, SharedEnvelope) and receiver.abandon(waiter.index):
            self.forget(waiter.envelope_id)

    def deliver(self, envelope_id: str, entries: IndexedEntries) -> None:
        """Called by the reply listener."""
        receiver = self._receivers.get(envelope_id)
        if receiver is not None and receiver.receive(envelope_id, entries):
            self.forget(envelope_id)
