"""The batcher thread: owns the inbox, the tokenizer, the buffer and the deadlines."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

from tasks.envelope import Message
from tasks.errors import ModelFailed, Revoked, SluiceError
from worker.batching.former import WINDOW_BATCHES, Former, Limits
from worker.batching.policy import Arrivals, Policy
from worker.message import (
    Check,
    Drain,
    Dropped,
    Item,
    ModelFree,
    NewConnection,
    NotStored,
    Outcome,
    Received,
    Started,
)
from worker.model.base import Classifier
from worker.threads.guard import GuardedThread

#: Messages tokenised in one go, between two looks at the inbox (some 5 ms).
ENCODE_CHUNK = 64

Raw = deque[tuple[Received, int]]


class Batcher(GuardedThread):
    """Turns received envelopes into batches.

    Args:
        classifier: its ``encode`` is called in this thread only.
        to_model: called with each batch; takes at most ``MODEL_PLACES`` that it has not answered with ``ModelFree``.
        to_deliver: blocks while the deliver thread is behind, which in turn fills the broker's prefetch window.
        to_main: never blocks.
        revoked: the error of an envelope that was revoked or has expired; must be safe to call from any thread.
    """

    def __init__(
        self,
        classifier: Classifier,
        policy: Policy,
        limits: Limits,
        *,
        to_model: Callable[[list[Item] | None], None],
        to_deliver: Callable[[Any], None],
        to_main: Callable[[Any], None],
        revoked: Callable[[Received], Revoked | None],
        on_death: Callable[[str], None],
    ) -> None:
        super().__init__("batcher", on_death)
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self._classifier = classifier
        self._policy = policy
        self._former: Former[Item] = Former(limits)
        self._to_model, self._to_deliver, self._to_main = to_model, to_deliver, to_main
        self._revoked = revoked
        self._raw: dict[bool, Raw] = {False: deque(), True: deque()}  # by lane: bulk or not
        self._arrivals = Arrivals()
        self._at_model = 0
        self._generation = 0
        self._draining = False

    @property
    def buffered(self) -> int:
        """Messages that wait here; a snapshot, for other threads to show."""
        return len(self._former) + sum(map(len, self._raw.values()))

    def work(self) -> None:
        while not (self._draining and not self._at_model and not self.buffered):
            self._read_inbox()
            self._encode_some()
            self._cut_batches()
        self._to_model(None)

    # inbox

    def _read_inbox(self) -> None:
        """Wait for a note or a deadline, then take everything that is there."""
        try:
            self._handle(self.inbox.get(timeout=self._patience()))
            while True:
                self._handle(self.inbox.get_nowait())
        except Empty:
            pass

    def _patience(self) -> float | None:
        """Seconds until something is due here without a note; None: nothing is."""
        if self._encodable():
            return 0
        if not len(self._former):
            return 0.05 if self._draining else None
        at = self._runs_at()
        if at == float("inf"):
            return None
        return max(0.0, at - time.monotonic())

    def _handle(self, note: Any) -> None:
        match note:
            case Received():
                self._receive(note)
            case ModelFree():
                self._at_model -= 1
                if note.limit:
                    self._shrink(note.limit)
            case NotStored():
                for envelope in note.envelopes:
                    self._admit(envelope)
            case NewConnection():
                self._generation = note.generation
                self._forget(lambda envelope: envelope.generation < note.generation)
            case Drain():
                self._draining = True
                self._forget(lambda envelope: envelope.started is None)
            case _:
                raise TypeError(f"the batcher got a {type(note).__name__}")

    def _receive(self, envelope: Received) -> None:
        self._arrivals.saw(time.monotonic(), envelope.more)
        if envelope.refused:
            self._to_deliver(Dropped(envelope, envelope.refused))
        elif envelope.redelivered:
            self._to_deliver(Check(envelope))
        else:
            self._admit(envelope)

    def _admit(self, envelope: Received) -> None:
        if self._draining or envelope.generation < self._generation:
            return
        raw, refused = self._raw[envelope.bulk], []
        for index, message in enumerate(envelope.messages):
            if message.error is None:
                raw.append((envelope, index))
            else:
                refused.append((index, message.error))
        if refused:
            self._refuse(envelope, refused)

    def _refuse(self, envelope: Received, refused: list[tuple[int, Any]]) -> None:
        places = [(envelope, index) for index, _ in refused]
        self._to_deliver(Outcome(places, [error for _, error in refused]))

    def _forget(self, unwanted: Callable[[Received], bool]) -> None:
        """Drop the waiting messages of these envelopes."""
        self._former.discard(lambda item: unwanted(item.envelope))
        for lane, raw in self._raw.items():
            self._raw[lane] = deque(place for place in raw if not unwanted(place[0]))

    def _shrink(self, messages: int) -> None:
        limits = self._former.limits
        self._former.limits = Limits(
            min(messages, limits.messages),
            limits.tokens,
            limits.padded,
            limits.overhead_tokens,
            limits.bulk_patience_s,
        )

    # tokenizer

    def _encodable(self) -> bool:
        window = self._former.limits.messages * WINDOW_BATCHES
        return bool(self._raw[False]) or (bool(self._raw[True]) and self._former.bulk_waiting < window)

    def _encode_some(self) -> None:
        """Tokenise one chunk, interactive messages first; bulk only as far as the window can use it."""
        if not self._encodable():
            return
        raw = self._raw[False] or self._raw[True]
        places = list(islice(raw, ENCODE_CHUNK))
        for _ in places:
            raw.popleft()
        messages = [envelope.messages[index] for envelope, index in places]
        try:
            encoded: list[list[int] | SluiceError] = list(self._classifier.encode([m.text for m in messages]))
        except Exception:
            encoded = [self._encode_one(message) for message in messages]
        for (envelope, index), ids in zip(places, encoded, strict=True):
            if isinstance(ids, SluiceError):
                self._refuse(envelope, [(index, ids)])
            else:
                self._former.add(Item(envelope, index, ids))

    def _encode_one(self, message: Message) -> list[int] | SluiceError:
        try:
            return self._classifier.encode([message.text])[0]
        except Exception as exc:
            return ModelFailed(f"the text could not be tokenised ({type(exc).__name__})")

    # batches

    def _runs_at(self) -> float:
        return self._policy.runs_at(
            oldest=self._former.oldest() or 0.0,
            full=self._former.full() or self._draining,
            at_model=self._at_model,
            quiet_at=self._arrivals.quiet_at(),
        )

    def _cut_batches(self) -> None:
        while len(self._former):
            if self._encodable() and not self._former.full():
                return  # these are on the way in the surest sense
            now = time.monotonic()
            if self._runs_at() > now:
                return
            batch = self._without_revoked(self._take(now), now)
            if batch:
                self._at_model += 1
                self._to_model(batch)

    def _take(self, now: float) -> list[Item]:
        if self._policy.mode == "none":
            return self._former.take_oldest(1)
        if self._policy.mode == "static":
            return self._former.take_oldest(self._former.limits.messages)
        return self._former.take(now)

    def _without_revoked(self, items: list[Item], now: float) -> list[Item]:
        """The items still wanted; envelopes that enter the model with them are marked and announced."""
        wanted, begun, gone = [], [], set()
        for item in items:
            envelope = item.envelope
            if envelope.started is None and id(envelope) not in gone:
                error = self._revoked(envelope)
                if error:
                    gone.add(id(envelope))
                    self._to_deliver(Dropped(envelope, error))
                else:
                    envelope.started = now
                    begun.append(envelope)
            if id(envelope) not in gone:
                wanted.append(item)
        if gone:
            self._forget(lambda envelope: id(envelope) in gone)
        if begun:
            self._to_main(Started(begun))
            if any(envelope.request.group for envelope in begun):
                self._to_deliver(Started(begun))
        return wanted
