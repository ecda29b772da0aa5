"""Whatever comes in whatever order at whatever times: what holds of all that a scheduler asks for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from sluice.tasks.envelope import Message
from sluice.tasks.errors import Revoked
from sluice.worker.engine.batching.former import BULK_SHARE, Limits
from sluice.worker.engine.batching.policy import Policy
from sluice.worker.engine.mail import (
    Alone,
    Begin,
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
    Outcome,
    Started,
    Trial,
)
from tests.unit.worker.engine.driver import Driver

WORDS = "abc"  # few, so that most texts meet one that reads alike
WAIT_S = 0.25


class World(Driver):
    """A scheduler, what its neighbours would hold, and what must hold of it."""

    def __init__(self, mode: str = "dynamic", *, cached: bool, padded: bool) -> None:
        self.encode_s = 0.0
        self.given: dict[int, list[list[MessageRef]]] = {}  # messages of a batch, as it was given to the model
        self.revoked: set[InFlightEnvelope] = set()
        self.dropped: set[InFlightEnvelope] = set()
        self.sent: list[InFlightEnvelope] = []
        self.answered: Counter[MessageRef] = Counter()
        self.expected: dict[MessageRef, list[float]] = {}
        self.generation = 0
        self.trial: Trial | None = None
        self.allowed: Trial | None = None
        super().__init__(
            Policy(mode, wait_s=WAIT_S),  # type: ignore[arg-type]
            Limits(messages=3, tokens=6 if mode == "dynamic" else 0, padded=padded),
            encode=lambda texts: Encoded([[ord(letter) for letter in text] for text in texts], self.encode_s),
            revoked=lambda envelope: Revoked("revoked") if envelope in self.revoked else None,
            cached=cached,
        )

    # what happens

    def receive(self, bulk: bool, texts: list[str], more: int) -> None:
        envelope = self._made(bulk, texts)
        envelope.more = more
        self.tell(envelope)

    def receive_late(self, texts: list[str]) -> None:
        """What came over an earlier connection was looked up meanwhile."""
        if self.generation:
            envelope = self._made(False, texts)
            envelope.generation -= 1
            self.tell(NotStored([envelope]))

    def step(self) -> None:
        """What the thread does when it has read everything."""
        self.due()
        self._check()

    def pass_time(self, seconds: float) -> None:
        """Time goes by, and whatever becomes due meanwhile is done in time."""
        ends = self.now + seconds
        while (due := self.scheduler.wake_at()) <= ends:
            self.now = max(self.now, due)
            self.settle()
            self._check()
        self.now = ends

    def revoke(self, which: int) -> None:
        if self.sent:
            self.revoked.add(self.sent[which % len(self.sent)])

    def finish_batch(self) -> None:
        if self.model:
            batch = self.model.popleft()
            refs = self.given.pop(id(batch))
            assert [text.refs for text in batch] == refs, "changed while the model thread has it"
            answers: list[Any] = [expected("".join(map(chr, text.ids))) for text in batch]
            self.tell(ModelFree(batch, answers))
            self.notes.append(Outcome(refs, answers))
            self._check()

    def finish_chunk(self, took_s: float) -> None:
        self.encode_s = took_s
        if self.chunks:
            self.encode_aside()

    def finish_lookup(self, hits: int) -> None:
        if self.lookups:
            texts = self.lookups.popleft()
            answers = [
                expected("".join(map(chr, text.ids))) if hits >> number & 1 else None
                for number, text in enumerate(texts)
            ]
            self.tell(LookedUp(texts, [b"key"] * len(texts), answers))

    def reconnect(self) -> None:
        self.generation += 1
        self.tell(NewConnection(self.generation))
        if self.allowed is None:
            self.trial = None

    def suspect(self, texts: list[str]) -> None:
        """An envelope is to run alone, unless one is under way."""
        if self.trial is None:
            envelope = self._made(True, texts)
            self.trial = Trial(envelope, 0, len(texts))
            self.tell(self.trial)

    def begin(self) -> None:
        """The result writer has noted that the trial is alone."""
        self._check()
        if self.allowed is not None:
            trial, self.allowed = self.allowed, None
            assert not self.model, "it is not alone"
            self.tell(Begin(trial))
            self._check()

    def drain(self) -> None:
        self.tell(Drain())
        if self.allowed is None:
            self.trial = None

    def run_down(self) -> None:
        """Let everything that waits come to its end."""
        for _ in range(10_000):
            self.finish_chunk(0.0)
            self.finish_lookup(0b101)
            self.begin()
            if self.ended:
                break
            self.settle()
            if not self._waits():
                break
            self.finish_batch()
            if not (self.model or self.chunks or self.lookups or self.trial or self.ended):
                due = self.scheduler.wake_at()
                self.now = max(self.now, due if due < float("inf") else self.now)
        self._check()
        assert not self._waits(), "something waits for ever"

    # what must hold

    def run(self, batch: list[EncodedText]) -> None:
        refs = [list(text.refs) for text in batch]
        on_trial = self._on_trial(refs[0][0][0])
        assert not (on_trial and self.model), "the trial is not alone"
        assert on_trial or self.trial is None or not self.trial_runs(), "something runs beside a trial"
        assert all(envelope.started is not None for row in refs for envelope, _ in row)
        self.given[id(batch)] = refs
        super().run(batch)

    def trial_runs(self) -> bool:
        return self.trial is not None and any(
            envelope is self.trial.envelope for batch in self.model for text in batch for envelope, _ in text.refs
        )

    def _on_trial(self, envelope: InFlightEnvelope) -> bool:
        return self.trial is not None and envelope is self.trial.envelope

    def _made(self, bulk: bool, texts: list[str]) -> InFlightEnvelope:
        messages = [Message(text) for text in texts]
        envelope = InFlightEnvelope("x", messages, False, bulk, self.now, self.generation)
        self.expected |= {(envelope, index): expected(text) for index, text in enumerate(texts)}
        self.sent.append(envelope)
        return envelope

    def _waits(self) -> bool:
        return bool(self.scheduler.buffered or self.model or self.lookups or self.chunks or self.trial)

    def _check(self) -> None:
        """Read what came out, and look at what waits."""
        notes, self.notes = self.notes, []
        for note in notes:
            if isinstance(note, Dropped):
                assert note.envelope not in self.dropped, "dropped twice"
                assert note.envelope in self.revoked
                self.dropped.add(note.envelope)
            elif isinstance(note, Outcome):
                self._take(note)
            elif isinstance(note, Alone):
                assert not self.model, "it is not alone"
                assert not self.chunks, "it is not alone"
                self.allowed = note.trial
            elif isinstance(note, Started):
                for envelope in note.envelopes:
                    assert envelope not in self.revoked, "revoked, and runs"
                    assert envelope.generation == self.generation or self._on_trial(envelope), "forgotten, and runs"
        if self.trial is not None and not self._unanswered(self.trial.envelope):
            self.trial = None

    def _take(self, note: Outcome) -> None:
        for refs, answer in zip(note.refs, note.answers, strict=True):
            for ref in refs:
                assert answer == self.expected[ref], "the answer of another text"
                self.answered[ref] += 1
                assert self.answered[ref] == 1, "answered twice"

    def _unanswered(self, envelope: InFlightEnvelope) -> list[MessageRef]:
        if envelope in self.dropped:
            return []
        refs = [(envelope, index) for index in range(len(envelope.messages))]
        return [ref for ref in refs if not self.answered[ref]]

    def check_deadlines(self) -> None:
        """Nobody waits past the deadline while nothing is under way."""
        if self.model or self.chunks or self.lookups or self.trial is not None:
            return
        for envelope in self.sent:
            if envelope.generation == self.generation and self._unanswered(envelope):
                assert self.now < envelope.arrived + WAIT_S, "waits past its deadline while the model is idle"


def expected(text: str) -> list[float]:
    return [float(ord(letter)) for letter in text]


texts = st.lists(st.text(WORDS, min_size=1, max_size=2), min_size=1, max_size=5)
seconds = st.sampled_from([0.0001, 0.001, 0.05, WAIT_S, 2.0])
received = st.tuples(st.just("receive"), st.booleans(), texts, st.sampled_from([0, 0, 3]))
chunk_done = st.tuples(st.just("finish_chunk"), st.sampled_from([0.0, 1.0]))
actions = st.lists(
    st.one_of(
        received,
        received,
        received,
        st.tuples(st.just("receive_late"), texts),
        st.tuples(st.just("step")),
        st.tuples(st.just("pass_time"), seconds),
        st.tuples(st.just("pass_time"), seconds),
        chunk_done,
        chunk_done,
        st.tuples(st.just("finish_batch")),
        st.tuples(st.just("finish_batch")),
        st.tuples(st.just("finish_lookup"), st.integers(0, 255)),
        st.tuples(st.just("revoke"), st.integers(0, 50)),
        st.tuples(st.just("reconnect")),
        st.tuples(st.just("suspect"), texts),
        st.tuples(st.just("begin")),
    ),
    min_size=12,
    max_size=60,
)
modes = st.sampled_from(["dynamic", "dynamic", "static", "none"])
#: A batch of bulk texts stands ready, somebody joins it, and it is cut anew for somebody else.
OVERTAKEN: list[tuple[Any, ...]] = [
    ("receive", True, ["a", "b", "c", "aa", "bb", "cc"], 0),
    ("step",),
    ("receive", False, ["cc"], 0),
    ("step",),
    ("finish_chunk", 0.0),
    ("receive", False, ["ab"], 0),
    ("step",),
    ("finish_chunk", 0.0),
    ("step",),
]


@pytest.mark.parametrize("drains", [False, True], ids=["runs on", "drains"])
@given(actions, modes, st.booleans(), st.booleans())
@example(OVERTAKEN, "dynamic", False, False)
@settings(max_examples=200, deadline=None)
def test_each_message_is_answered_once(
    drains: bool, todo: list[tuple[Any, ...]], mode: str, cached: bool, padded: bool
) -> None:
    world = World(mode, cached=cached, padded=padded)
    for name, *arguments in todo:
        getattr(world, name)(*arguments)
        world._check()
    begun = {envelope for envelope in world.sent if envelope.started is not None}
    if world.allowed is not None:
        begun.add(world.allowed.envelope)
    if drains:
        world.drain()
    world.run_down()
    assert world.ended == drains
    for envelope in world.sent:
        answered = sum(world.answered[envelope, index] for index in range(len(envelope.messages)))
        if envelope in world.dropped or (drains and envelope not in begun):
            assert not answered, "dropped or forgotten, and answered"
        elif envelope.generation == world.generation:
            assert answered == len(envelope.messages), "a message is lost"


@given(actions, modes, st.booleans(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_a_batch_shares_is_forgotten_with_it(
    todo: list[tuple[Any, ...]], mode: str, cached: bool, padded: bool
) -> None:
    """Texts like all that ever came are computed once more, in the end: none joins one of earlier."""
    world = World(mode, cached=cached, padded=padded)
    for name, *arguments in todo:
        getattr(world, name)(*arguments)
        world._check()
    world.run_down()
    assert world.scheduler.buffered == 0
    again = sorted({message.text for envelope in world.sent for message in envelope.messages})
    for text in again:
        world.receive(False, [text], 0)
    world.run_down()
    for envelope in world.sent[-len(again) :] if again else []:
        assert not world._unanswered(envelope), "it waits with one that is over"


@given(actions, modes, st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_nobody_waits_past_the_deadline_while_the_model_is_idle(
    todo: list[tuple[Any, ...]], mode: str, cached: bool, padded: bool
) -> None:
    world = World(mode, cached=cached, padded=padded)
    for name, *arguments in todo:
        getattr(world, name)(*arguments)
        world.pass_time(0.0)
        world._check()
        world.check_deadlines()


@given(st.booleans(), st.integers(1, 24), st.lists(st.integers(1, 9), min_size=1, max_size=24))
@settings(max_examples=50, deadline=None)
def test_neither_lane_starves_the_other(padded: bool, most: int, lengths: list[int]) -> None:
    """As much as the model takes comes in over both lanes all the time: bulk messages that are overdue get their share
    of the batches, interactive ones the most of them."""
    driver = Driver(
        Policy("dynamic", wait_s=WAIT_S, share=False),
        Limits(messages=most, padded=padded, bulk_patience_s=1.0),
        encode=lambda texts: Encoded([[1] * len(text) for text in texts], 0.0),
        revoked=lambda envelope: None,
    )
    served = {True: 0, False: 0}
    since_bulk = 0
    for turn in range(80):
        for bulk in (True, False):
            words = ["a" * lengths[(turn + number) % len(lengths)] for number in range(most)]
            driver.tell(InFlightEnvelope("x", [Message(word) for word in words], False, bulk, driver.now, 0))
        driver.settle()
        while driver.chunks:
            driver.encode_aside()
            driver.settle()
        driver.now += 1.0
        batch = driver.model.popleft()
        served[True] += sum(text.bulk for text in batch)
        served[False] += sum(not text.bulk for text in batch)
        since_bulk = 0 if any(text.bulk for text in batch) else since_bulk + 1
        assert since_bulk <= 2 * BULK_SHARE, "overdue bulk messages wait for ever"
        driver.tell(ModelFree(batch, [[1.0]] * len(batch)))
    assert served[False] >= 0.5 * sum(served.values()) or most == 1, "bulk takes more than its share"
