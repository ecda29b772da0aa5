"""The batcher thread: owns the inbox, the buffer and the deadlines."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

from sluice.tasks.errors import Revoked, SluiceError
from sluice.worker.engine.batching.former import WINDOW_BATCHES, BatchFormer, Limits
from sluice.worker.engine.batching.policy import Arrivals, Policy
from sluice.worker.engine.guard import GuardedThread
from sluice.worker.engine.mail import (
    Abort,
    Alone,
    Answer,
    Begin,
    Check,
    Drain,
    Dropped,
    Encoded,
    EncodedText,
    InFlightEnvelope,
    LookedUp,
    MessageRef,
    ModelFree,
    NewConnection,
    NotStored,
    Origin,
    Outcome,
    Started,
    Trial,
)

#: Messages that one thread tokenises in one go (some 5 ms); those of a more urgent lane come after at most one chunk.
ENCODE_CHUNK = 64
#: Where a chunk takes longer, seconds, one that is not full waits for others first, as a batch does.
SLOW_ENCODE_S = 0.02
#: A batch that stands ready is cut anew after so many times what it took last: a tenth of this thread's time.
OVERTAKE_REST = 9
NEVER = float("inf")


class Batcher(GuardedThread):
    """Turns received envelopes into batches.

    Messages that read alike for the model (equal token ids) are one item, from when the second of them is tokenised
    until the first is answered. An item belongs to all its messages equally: it runs as long as one of them wants it.

    Args:
        encode: called with a chunk of texts while the model is idle.
        to_encoder: called with a chunk of texts while it is busy; given one at a time, answers with ``Encoded``.
        to_model: called with each batch; takes at most ``policy.places`` that it has not answered with ``ModelFree``.
        take_back: gives back the batches that the model has not begun, oldest first.
        to_lookup: asked for the stored answers of items before they wait for the model; None: there is no cache.
        to_deliver: blocks while the result writer is behind, which in turn fills the broker's prefetch window.
        to_main: never blocks.
        revoked: the error of an envelope that was revoked or has expired; must be safe to call from any thread.
        share: whether messages that read alike are computed once (``dynamic`` only).
        encoders: threads among which the tokenizer divides a chunk.
    """

    def __init__(
        self,
        policy: Policy,
        limits: Limits,
        *,
        encode: Callable[[list[str]], Encoded],
        to_encoder: Callable[[list[str] | None], None],
        to_model: Callable[[list[EncodedText] | None], None],
        take_back: Callable[[], list[list[EncodedText]]],
        to_lookup: Callable[[list[EncodedText] | None], None] | None = None,
        to_deliver: Callable[[Any], None],
        to_main: Callable[[Any], None],
        revoked: Callable[[InFlightEnvelope], Revoked | None],
        share: bool = True,
        encoders: int = 1,
        on_death: Callable[[str], None],
    ) -> None:
        super().__init__("batcher", on_death)
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self._policy = policy
        self._former: BatchFormer[EncodedText] = BatchFormer(limits)
        self._encode = encode
        self._to_encoder, self._to_lookup, self._to_model = to_encoder, to_lookup, to_model
        self._take_back = take_back
        self._to_deliver, self._to_main = to_deliver, to_main
        self._revoked = revoked
        self._share = share and policy.mode == "dynamic"
        self._encoders = encoders
        self._raw: dict[bool, deque[MessageRef]] = {False: deque(), True: deque()}  # by lane: bulk or not
        self._encoding: list[MessageRef | None] = []  # with the encoder; None: nobody wants it any more
        self._encode_s = 0.0
        self._alike: dict[tuple[int, ...], EncodedText] = {}  # every item from tokenised to answered, if sharing
        self._sought: set[EncodedText] = set()  # with the lookup thread
        self._arrivals = Arrivals()
        self._at_model = 0
        self._may_yield = False  # whether the batch cut last has bulk messages to give way to interactive ones
        self._overtakes_from = 0.0
        self._generation = 0
        self._draining = self._aborted = False
        self._trial: Trial | None = None  # to run alone, as soon as the model is free
        self._alone = False  # nothing else goes to the model until it has

    @property
    def buffered(self) -> int:
        """Texts that wait here; a snapshot, for other threads to show."""
        return len(self._former) + len(self._sought) + len(self._encoding) + sum(map(len, self._raw.values()))

    def work(self) -> None:
        while not (self._draining and not self._at_model and not self.buffered and not self._alone):
            self._read_inbox()
            if self._aborted:
                break
            self._encode_some()
            self._cut_batches()
        self._to_model(None)
        self._to_encoder(None)
        if self._to_lookup:
            self._to_lookup(None)

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
        cuts = not self._held and bool(len(self._former))
        due = min(self._encodes_at(), self._overtakes_at() if cuts else NEVER, self._runs_at() if cuts else NEVER)
        if due == NEVER:
            return 0.05 if self._draining else None
        return max(0.0, due - time.monotonic())

    def _handle(self, note: Any) -> None:
        match note:
            case InFlightEnvelope():
                self._receive(note)
            case ModelFree():
                self._at_model -= 1
                self._alone = False  # a trial that has begun is the only batch
                self._settle(note)
            case Encoded():
                self._encoded(note)
            case LookedUp():
                self._looked_up(note)
            case NotStored():
                for envelope in note.envelopes:
                    self._admit(envelope)
            case Trial():
                self._trial = None if self._draining or note.envelope.generation < self._generation else note
            case Begin():
                self._try_alone(note.trial)
            case NewConnection():
                self._generation = note.generation
                self._trial = None
                self._forget(lambda envelope: envelope.generation < note.generation)
            case Drain():
                self._draining = True
                self._trial = None
                self._forget(lambda envelope: envelope.started is None)
            case Abort():
                self._aborted = True
            case _:
                raise TypeError(f"the batcher got a {type(note).__name__}")

    def _receive(self, envelope: InFlightEnvelope) -> None:
        self._arrivals.saw(time.monotonic(), envelope.more)
        if envelope.refused:
            self._to_deliver(Dropped(envelope, envelope.refused))
        elif envelope.redelivered:
            self._to_deliver(Check(envelope))
        else:
            self._admit(envelope)

    def _admit(self, envelope: InFlightEnvelope) -> None:
        if self._draining or envelope.generation < self._generation:
            return
        raw = self._raw[envelope.bulk]
        for index, message in enumerate(envelope.messages):
            if message.error is None:
                raw.append((envelope, index))
            else:
                self._refuse((envelope, index), message.error)

    def _forget(self, unwanted: Callable[[InFlightEnvelope], bool]) -> None:
        """Drop the waiting messages of these envelopes; what is in a batch already stays there."""

        def kept(refs: Iterable[MessageRef]) -> list[MessageRef]:
            return [ref for ref in refs if not unwanted(ref[0])]

        for lane, raw in self._raw.items():
            self._raw[lane] = deque(kept(raw))
        self._encoding = [None if ref is None or unwanted(ref[0]) else ref for ref in self._encoding]
        for item in (*self._former, *self._sought):
            item.refs = kept(item.refs)
        for item in self._alike.values():
            item.late = kept(item.late) if item.late else None
        for item in self._former.discard(lambda item: not item.refs):
            self._part(item)

    def _shrink(self, messages: int) -> None:
        limits = self._former.limits
        self._former.limits = replace(limits, messages=min(messages, limits.messages))

    # tokenizer

    def _has_room(self, *, bulk: bool) -> bool:
        """Whether a lane has texts to tokenise, and the former a use for them: it looks no further than its window."""
        window = self._former.limits.messages * WINDOW_BATCHES
        return bool(self._raw[bulk]) and self._former.waiting(bulk=bulk) < window

    def _encodable(self) -> bool:
        return self._has_room(bulk=False) or self._has_room(bulk=True)

    def _encodes_at(self) -> float:
        """Earliest time at which the next chunk may go to the encoder; infinity: it is busy, or there is none."""
        if self._encoding:
            return NEVER
        lanes = [self._raw[bulk] for bulk in (False, True) if self._has_room(bulk=bulk)]
        if not lanes:
            return NEVER
        if self._encode_s < SLOW_ENCODE_S or len(lanes[0]) >= self._former.limits.messages or self._draining:
            return float("-inf")
        return lanes[0][0][0].arrived + self._policy.wait_s

    def _encode_some(self) -> None:
        """Hand one chunk over, interactive messages first; a small one while the model has nothing to do."""
        if self._encodes_at() > time.monotonic():
            return
        raw = self._raw[not self._has_room(bulk=False)]
        chunk = ENCODE_CHUNK * (self._encoders if self._at_model else 1)
        refs = [raw.popleft() for _ in range(min(chunk, len(raw)))]
        self._encoding = list(refs)
        texts = [envelope.messages[index].text for envelope, index in refs]
        if self._at_model:
            self._to_encoder(texts)
        else:
            self._encoded(self._encode(texts))

    def _encoded(self, note: Encoded) -> None:
        """A chunk is back: its messages wait for the model, or for a look into the cache first."""
        refs, self._encoding = self._encoding, []
        self._encode_s = note.took_s
        items = []
        for ref, ids in zip(refs, note.rows, strict=True):
            if ref is None:
                continue
            if isinstance(ids, SluiceError):
                self._refuse(ref, ids)
            elif (item := self._join(ref, ids)) is not None:
                items.append(item)
        if self._to_lookup and items:
            self._sought.update(items)
            self._to_lookup(items)
        else:
            for item in items:
                self._former.add(item)

    # messages that read alike

    def _join(self, ref: MessageRef, ids: list[int]) -> EncodedText | None:
        """Let a message share an item that reads alike; a new item if there is none."""
        envelope = ref[0]
        if not self._share:
            return EncodedText(ids, [ref], envelope.bulk, envelope.arrived)
        key = tuple(ids)
        item = self._alike.get(key)
        if item is None:
            item = self._alike[key] = EncodedText(ids, [ref], envelope.bulk, envelope.arrived, key)
            return item
        if item.in_batch:
            if item.late is None:
                item.late = []
            item.late.append(ref)
            return None
        item.refs.append(ref)
        if item.bulk and not envelope.bulk:
            self._promote(item)
        return None

    def _promote(self, item: EncodedText) -> None:
        """Move an item to the interactive lane: somebody there waits for it now."""
        if item in self._sought:
            item.bulk = False
            return
        self._former.remove(item)
        item.bulk = False
        self._former.add(item)

    def _part(self, item: EncodedText) -> None:
        """Nobody may join the item any more: it is answered, or unwanted."""
        if item.key is not None:
            del self._alike[item.key]

    def _settle(self, note: ModelFree) -> None:
        """A batch is done: those who joined its items on the way get the same answers."""
        if note.limit:
            self._shrink(note.limit)
        if not self._share:
            return
        late = []
        for item, answer in zip(note.batch, note.answers, strict=True):
            self._part(item)
            if item.late:
                late.append((item.late, answer))
        self._answer_all(late, "alike")

    def _looked_up(self, note: LookedUp) -> None:
        """Answer what the cache knows; the rest waits for the model."""
        known = []
        for item, key, answer in zip(note.items, note.keys, note.answers, strict=True):
            self._sought.discard(item)
            item.cache_key = key
            if item.refs and answer is None:
                self._former.add(item)
                continue
            self._part(item)
            if answer is not None:
                known.append((item.refs, answer))
        self._answer_all(known, "cache")

    def _answer_all(self, answered: Sequence[tuple[list[MessageRef], Answer]], origin: Origin) -> None:
        """Answer messages without a forward of their own, but none of envelopes that are revoked by now."""
        gone = self._enter(envelope for refs, _ in answered for envelope, _ in refs)
        if gone:
            answered = [([ref for ref in refs if ref[0] not in gone], answer) for refs, answer in answered]
        answered = [(refs, answer) for refs, answer in answered if refs]
        if answered:
            self._to_deliver(Outcome([refs for refs, _ in answered], [answer for _, answer in answered], origin))

    def _refuse(self, ref: MessageRef, error: SluiceError) -> None:
        self._to_deliver(Outcome([[ref]], [error], "refused"))

    # batches

    def _runs_at(self) -> float:
        return self._policy.runs_at(
            oldest=self._former.oldest() or 0.0,
            full=self._former.full() or self._draining,
            at_model=self._at_model,
            # Texts with the encoder, or about to be, are on their way in the surest sense.
            quiet_at=NEVER if self._encoding or self._encodable() else self._arrivals.quiet_at(),
        )

    def _overtakes_at(self) -> float:
        """Earliest time at which interactive messages may overtake the batch that was cut last; infinity: none does."""
        if (
            self._may_yield
            and self._at_model > 1
            and self._former.waiting(bulk=False)
            and self._policy.mode == "dynamic"
        ):
            return self._overtakes_from
        return NEVER

    def _overtake(self) -> None:
        """Take back what only stands ready behind the running batch, so that it is cut anew with interactive messages.

        They would wait for bulk ones otherwise.
        """
        batches = self._take_back()
        self._at_model -= len(batches)
        items = [item for batch in batches for item in batch]
        for item in items:
            item.in_batch = False
            if item.late:
                item.refs.extend(item.late)
                item.bulk = all(envelope.bulk for envelope, _ in item.refs)
            item.late = None
        self._former.put_back(items)

    # trials

    @property
    def _held(self) -> bool:
        """Whether batches wait for a trial."""
        return self._alone or self._trial is not None

    def _clear_the_way(self) -> None:
        """Once the model is free, and so is the tokenizer: say that the trial is alone."""
        if self._trial is not None and not self._alone and not self._at_model and not self._encoding:
            self._alone, trial, self._trial = True, self._trial, None
            self._to_deliver(Alone(trial))

    def _try_alone(self, trial: Trial) -> None:
        envelope, bulk = trial.envelope, trial.envelope.bulk
        items: list[EncodedText] = []
        if not self._enter([envelope]):
            refs = [(envelope, index) for index in range(trial.first, trial.end)]
            for ref in refs:
                if error := envelope.messages[ref[1]].error:
                    self._refuse(ref, error)
            refs = [ref for ref in refs if envelope.messages[ref[1]].error is None]
            rows = self._encode([envelope.messages[index].text for _, index in refs]).rows
            for ref, ids in zip(refs, rows, strict=True):
                if isinstance(ids, SluiceError):
                    self._refuse(ref, ids)
                else:
                    items.append(EncodedText(ids, [ref], bulk, envelope.arrived, in_batch=True))
        self._alone = bool(items)
        if items:
            self._at_model += 1
            self._may_yield = False
            self._to_model(items)

    def _cut_batches(self) -> None:
        self._clear_the_way()
        if self._held:
            return
        began = time.monotonic()
        if self._overtakes_at() <= began:
            self._overtake()
            self._cut()
            now = time.monotonic()
            self._overtakes_from = now + OVERTAKE_REST * (now - began)
        else:
            self._cut()

    def _cut(self) -> None:
        while len(self._former):
            now = time.monotonic()
            if self._runs_at() > now:
                return
            batch = self._still_wanted(self._take(now))
            if batch:
                self._at_model += 1
                self._may_yield = not self._former.waiting(bulk=False) and any(item.bulk for item in batch)
                self._to_model(batch)

    def _take(self, now: float) -> list[EncodedText]:
        if self._policy.mode == "none":
            return self._former.take_oldest(1)
        if self._policy.mode == "static":
            return self._former.take_oldest(self._former.limits.messages)
        return self._former.take(now)

    def _still_wanted(self, batch: list[EncodedText]) -> list[EncodedText]:
        """The items that somebody still wants; from here on their messages stay as they are."""
        gone = self._enter(envelope for item in batch for envelope, _ in item.refs)
        wanted = []
        for item in batch:
            if gone:
                item.refs = [ref for ref in item.refs if ref[0] not in gone]
            if item.refs:
                item.in_batch = True
                wanted.append(item)
            else:
                self._part(item)
        return wanted

    def _enter(self, envelopes: Iterable[InFlightEnvelope]) -> set[InFlightEnvelope]:
        """Mark and announce the envelopes that run from now on; returns those that must not, which are dropped."""
        now = time.monotonic()
        begun: list[InFlightEnvelope] = []
        gone: set[InFlightEnvelope] = set()
        for envelope in envelopes:
            if envelope.started is not None or envelope in gone:
                continue
            error = self._revoked(envelope)
            if error:
                gone.add(envelope)
                self._to_deliver(Dropped(envelope, error))
            else:
                envelope.started = now
                begun.append(envelope)
        if gone:
            self._forget(gone.__contains__)
        if begun:
            self._to_main(Started(begun))
            if any(envelope.group for envelope in begun):
                self._to_deliver(Started(begun))
        return gone
