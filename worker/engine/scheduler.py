"""The batching core: what happens and when goes in, what to do comes out. Pure: no clock, no thread, no queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import assert_never

from sluice.tasks.errors import Revoked, SluiceError
from sluice.worker.engine.alike import AlikeTexts, Answered
from sluice.worker.engine.batching.former import WINDOW_BATCHES, BatchFormer, Limits
from sluice.worker.engine.batching.policy import Arrivals, Policy
from sluice.worker.engine.commands import (
    Command,
    Emit,
    EncodeAside,
    EncodeHere,
    End,
    Event,
    LookUp,
    Recut,
    RunBatch,
    TakeBack,
    TakenBack,
)
from sluice.worker.engine.intake import Intake, kept
from sluice.worker.engine.mail import (
    Abort,
    Alone,
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
#: A batch that stands ready is cut anew after so many times what it took last: a tenth of the caller's time.
OVERTAKE_REST = 9
NOW, NEVER = float("-inf"), float("inf")


class Scheduler:
    """Turns envelopes into batches.

    Tell it what happens with ``handle``, then, when everything that has happened by now is told, ask ``due``; ask again
    at the time that ``wake_at`` names if nothing happens before. Times are those of one clock, seconds, that never go
    back. What a call returns is carried out in order before the next call.

    Args:
        policy: when batches run; the model is given at most ``policy.places`` that are not answered with ``ModelFree``.
        limits: what a batch may hold.
        revoked: the error of an envelope that was revoked or has expired.
        cached: whether texts go by the result cache before they wait for the model.
        encoders: threads among which the tokenizer divides a chunk.
    """

    def __init__(
        self,
        policy: Policy,
        limits: Limits,
        revoked: Callable[[InFlightEnvelope], Revoked | None],
        *,
        cached: bool = False,
        encoders: int = 1,
    ) -> None:
        self._policy = policy
        self._revoked = revoked
        self._cached = cached
        self._encoders = encoders
        self._commands: list[Command] = []  # of the call that runs now
        self._intake = Intake()
        self._encoding_here = False
        self._alike = AlikeTexts(share=policy.shares, promote=self._promote)
        self._sought: set[EncodedText] = set()  # being looked up
        self._former: BatchFormer[EncodedText] = BatchFormer(limits)
        self._arrivals = Arrivals()
        self._at_model = 0
        self._may_yield = False  # whether the batch cut last has bulk messages to give way to interactive ones
        self._overtakes_from = self._overtook_at = 0.0
        self._generation = 0
        self._draining = False
        self._trial: Trial | None = None  # to run alone, as soon as the model is free
        self._alone = False  # nothing else goes to the model until it has
        self._tried: list[MessageRef] | None = None  # of a trial, with the tokenizer

    @property
    def buffered(self) -> int:
        """Messages and texts that wait here; a snapshot, for other threads to show."""
        return len(self._former) + len(self._sought) + len(self._intake)

    def handle(self, event: Event, now: float) -> Sequence[Command]:
        """Take note of what has happened."""
        match event:
            case InFlightEnvelope():
                self._receive(event, now)
            case ModelFree():
                self._at_model -= 1
                self._alone = False  # a trial that has begun is the only batch
                self._settle(event, now)
            case Encoded():
                self._encoded(event, now)
            case LookedUp():
                self._looked_up(event, now)
            case TakenBack():
                self._put_back(event.batches)
                self._cut(now)
            case Recut():
                self._overtakes_from = now + OVERTAKE_REST * (now - self._overtook_at)
            case _:
                self._handle_order(event, now)
        return self._said() if self._commands else ()

    def _handle_order(self, event: NotStored | Trial | Begin | NewConnection | Drain | Abort, now: float) -> None:
        """What others decide, and the engine only follows."""
        match event:
            case NotStored():
                for envelope in event.envelopes:
                    self._admit(envelope)
            case Trial():
                self._trial = None if self._draining or event.envelope.generation < self._generation else event
            case Begin():
                self._begin_trial(event.trial, now)
            case NewConnection():
                self._generation = event.generation
                self._trial = None
                self._forget(lambda envelope: envelope.generation < event.generation)
            case Drain():
                self._draining = True
                self._trial = None
                self._forget(lambda envelope: envelope.started is None)
            case Abort():
                self._commands.append(End())
            case _:
                assert_never(event)

    def due(self, now: float) -> Sequence[Command]:
        """What is to be done by now, everything that has happened being told."""
        if not self._encode_some(now):
            self._cut_batches(now)
        if self._draining and self._finished():
            self._commands.append(End())
        return self._said() if self._commands else ()

    def wake_at(self) -> float:
        """Time at which ``due`` will have something to do though nothing happens; infinity: never."""
        if self._draining and self._finished():
            return NOW
        at = self._encodes_at()
        if len(self._former) and not self._held:
            at = min(at, self._overtakes_at(), self._runs_at())
        return at

    def _said(self) -> Sequence[Command]:
        commands, self._commands = self._commands, []
        return commands

    def _finished(self) -> bool:
        """Whether all that was begun is answered; asked once nothing else is to begin."""
        return not self._at_model and not self._alone and not self.buffered

    # envelopes

    def _receive(self, envelope: InFlightEnvelope, now: float) -> None:
        self._arrivals.saw(now, envelope.more)
        if envelope.refused:
            self._commands.append(Emit(Dropped(envelope, envelope.refused)))
        elif envelope.redelivered:
            self._commands.append(Emit(Check(envelope)))
        else:
            self._admit(envelope)

    def _admit(self, envelope: InFlightEnvelope) -> None:
        if self._draining or envelope.generation < self._generation:
            return
        lane = self._intake.lanes[envelope.bulk]
        for index, message in enumerate(envelope.messages):
            if message.error is None:
                lane.append((envelope, index))
            else:
                self._refuse((envelope, index), message.error)

    def _forget(self, unwanted: Callable[[InFlightEnvelope], bool]) -> None:
        """Drop the waiting messages of these envelopes; what is in a batch already stays there."""
        self._intake.forget(unwanted)
        for text in (*self._former, *self._sought):
            text.refs = kept(text.refs, unwanted)
        self._alike.forget(unwanted)
        for text in self._former.discard(lambda text: not text.refs):
            self._alike.part(text)

    # tokenizer

    def _has_room(self, *, bulk: bool) -> bool:
        """Whether a lane has texts to tokenise, and the former a use for them: it looks no further than its window."""
        if not self._intake.lanes[bulk]:
            return False
        return self._former.waiting(bulk=bulk) < self._former.limits.messages * WINDOW_BATCHES

    def _lane_to_encode(self) -> bool | None:
        """The lane that the next chunk is from: bulk or not; None: nothing is to be tokenised."""
        if self._has_room(bulk=False):
            return False
        return True if self._has_room(bulk=True) else None

    def _encodes_at(self) -> float:
        """Earliest time at which the next chunk may be tokenised; infinity: one is under way, or there is none."""
        bulk = None if self._intake.chunk else self._lane_to_encode()
        if bulk is None:
            return NEVER
        lane = self._intake.lanes[bulk]
        if self._intake.took_s < SLOW_ENCODE_S or len(lane) >= self._former.limits.messages or self._draining:
            return NOW
        return lane[0][0].arrived + self._policy.wait_s

    def _encode_some(self, now: float) -> bool:
        """Have one chunk tokenised, interactive messages first. True: at once, and its coming back is what goes on."""
        if self._encodes_at() > now:
            return False
        bulk = not self._has_room(bulk=False)
        texts = self._intake.next_chunk(ENCODE_CHUNK * (self._encoders if self._at_model else 1), bulk=bulk)
        self._encoding_here = not self._at_model
        self._commands.append(EncodeHere(texts) if self._encoding_here else EncodeAside(texts))
        return self._encoding_here

    def _encoded(self, note: Encoded, now: float) -> None:
        """A chunk is back: its messages wait for the model, or for a look into the cache first."""
        if self._tried is not None:
            self._run_trial(note)
            return
        texts = []
        for ref, ids in self._intake.back(note):
            if isinstance(ids, SluiceError):
                self._refuse(ref, ids)
            elif (text := self._alike.join(ref, ids)) is not None:
                texts.append(text)
        if self._cached and texts:
            self._sought.update(texts)
            self._commands.append(LookUp(texts))
        else:
            for text in texts:
                self._former.add(text)
        if self._encoding_here:
            self._encoding_here = False
            self._cut_batches(now)

    def _promote(self, text: EncodedText) -> None:
        """Move a text to the interactive lane: somebody there waits for it now."""
        if text in self._sought:
            text.bulk = False
            return
        self._former.remove(text)
        text.bulk = False
        self._former.add(text)

    # answers

    def _settle(self, note: ModelFree, now: float) -> None:
        """A batch is done: those who joined its texts on the way get the same answers."""
        if note.limit:
            limits = self._former.limits
            self._former.limits = replace(limits, messages=min(note.limit, limits.messages))
        self._answer(self._alike.settle(note), "alike", now)

    def _looked_up(self, note: LookedUp, now: float) -> None:
        """Answer what the cache knows; the rest waits for the model."""
        known: list[Answered] = []
        for text, key, answer in zip(note.texts, note.keys, note.answers, strict=True):
            self._sought.discard(text)
            text.cache_key = key
            if text.refs and answer is None:
                self._former.add(text)
                continue
            self._alike.part(text)
            if answer is not None:
                known.append((text.refs, answer))
        self._answer(known, "cache", now)

    def _answer(self, answered: list[Answered], origin: Origin, now: float) -> None:
        """Answer messages without a forward of their own, but none of envelopes that are revoked by now."""
        gone = self._enter((envelope for refs, _ in answered for envelope, _ in refs), now)
        if gone:
            answered = [(kept(refs, gone.__contains__), answer) for refs, answer in answered]
        answered = [(refs, answer) for refs, answer in answered if refs]
        if answered:
            self._commands.append(
                Emit(Outcome([refs for refs, _ in answered], [answer for _, answer in answered], origin))
            )

    def _refuse(self, ref: MessageRef, error: SluiceError) -> None:
        self._commands.append(Emit(Outcome([[ref]], [error], "refused")))

    # batches

    def _runs_at(self) -> float:
        # Texts with the tokenizer, or about to be, are on their way in the surest sense.
        coming = self._intake.chunk or self._lane_to_encode() is not None
        return self._policy.runs_at(
            oldest=self._former.oldest() or 0.0,
            full=self._former.full() or self._draining,
            at_model=self._at_model,
            quiet_at=NEVER if coming else self._arrivals.quiet_at(),
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

    def _cut_batches(self, now: float) -> None:
        self._clear_the_way()
        if self._held:
            return
        if self._overtakes_at() <= now:
            # What only stands ready behind the running batch is cut anew, with interactive messages: they would wait
            # for bulk ones otherwise.
            self._overtook_at = now
            self._commands.append(TakeBack())
        else:
            self._cut(now)

    def _put_back(self, batches: Sequence[list[EncodedText]]) -> None:
        self._at_model -= len(batches)
        texts = [text for batch in batches for text in batch]
        self._alike.reopen(texts)
        self._former.put_back(texts)

    def _cut(self, now: float) -> None:
        while len(self._former) and self._runs_at() <= now:
            batch = self._still_wanted(self._take(now), now)
            if batch:
                self._may_yield = not self._former.waiting(bulk=False) and any(text.bulk for text in batch)
                self._run(batch)

    def _run(self, batch: list[EncodedText]) -> None:
        self._at_model += 1
        self._commands.append(RunBatch(batch))

    def _take(self, now: float) -> list[EncodedText]:
        if self._policy.mode == "none":
            return self._former.take_oldest(1)
        if self._policy.mode == "static":
            return self._former.take_oldest(self._former.limits.messages)
        return self._former.take(now)

    def _still_wanted(self, batch: list[EncodedText], now: float) -> list[EncodedText]:
        """The texts that somebody still wants; from here on their messages stay as they are."""
        gone = self._enter((envelope for text in batch for envelope, _ in text.refs), now)
        wanted = []
        for text in batch:
            if gone:
                text.refs = kept(text.refs, gone.__contains__)
            if text.refs:
                text.in_batch = True
                wanted.append(text)
            else:
                self._alike.part(text)
        return wanted

    def _enter(self, envelopes: Iterable[InFlightEnvelope], now: float) -> set[InFlightEnvelope]:
        """Mark and announce the envelopes that run from now on; returns those that must not, which are dropped."""
        begun: list[InFlightEnvelope] = []
        gone: set[InFlightEnvelope] = set()
        for envelope in envelopes:
            if envelope.started is not None or envelope in gone:
                continue
            error = self._revoked(envelope)
            if error:
                gone.add(envelope)
                self._commands.append(Emit(Dropped(envelope, error)))
            else:
                envelope.started = now
                begun.append(envelope)
        if gone:
            self._forget(gone.__contains__)
        if begun:
            self._commands.append(Emit(Started(begun)))
        return gone

    # trials

    @property
    def _held(self) -> bool:
        """Whether batches wait for a trial."""
        return self._alone or self._trial is not None

    def _clear_the_way(self) -> None:
        """Once the model is free, and so is the tokenizer: say that the trial is alone."""
        if self._trial is not None and not self._alone and not self._at_model and not self._intake.chunk:
            self._alone, trial, self._trial = True, self._trial, None
            self._commands.append(Emit(Alone(trial)))

    def _begin_trial(self, trial: Trial, now: float) -> None:
        envelope = trial.envelope
        refs: list[MessageRef] = []
        if not self._enter([envelope], now):
            for index in range(trial.first, trial.end):
                if error := envelope.messages[index].error:
                    self._refuse((envelope, index), error)
                else:
                    refs.append((envelope, index))
        self._alone = bool(refs)
        if refs:
            self._tried = refs
            self._commands.append(EncodeHere([envelope.messages[index].text for _, index in refs]))

    def _run_trial(self, note: Encoded) -> None:
        refs, self._tried = self._tried or [], None
        texts = []
        for ref, ids in zip(refs, note.rows, strict=True):
            if isinstance(ids, SluiceError):
                self._refuse(ref, ids)
            else:
                envelope = ref[0]
                texts.append(EncodedText(ids, [ref], envelope.bulk, envelope.arrived, in_batch=True))
        self._alone = bool(texts)
        if texts:
            self._may_yield = False
            self._run(texts)
