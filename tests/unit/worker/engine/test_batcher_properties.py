"""Whatever comes in whatever order: each message is answered once, and what a batch shares is forgotten with it."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from sluice.tasks.envelope import Message
from sluice.tasks.errors import Revoked
from sluice.worker.engine.batcher import Batcher
from sluice.worker.engine.batching.former import Limits
from sluice.worker.engine.batching.policy import Policy
from sluice.worker.engine.mail import (
    Drain,
    Dropped,
    Encoded,
    EncodedText,
    InFlightEnvelope,
    LookedUp,
    MessageRef,
    ModelFree,
    NewConnection,
    Outcome,
)

WORDS = "abcd"  # few, so that most texts meet one that reads alike


class World:
    """A batcher stepped by hand in this thread, and what its neighbours would hold."""

    def __init__(self, *, cached: bool, padded: bool) -> None:
        self.batches: list[tuple[list[EncodedText], list[list[MessageRef]]]] = []
        self.lookups: list[list[EncodedText]] = []
        self.chunks: list[list[str]] = []
        self.revoked: set[InFlightEnvelope] = set()
        self.dropped: set[InFlightEnvelope] = set()
        self.sent: list[InFlightEnvelope] = []
        self.answered: Counter[tuple[InFlightEnvelope, int]] = Counter()
        self.texts: dict[tuple[InFlightEnvelope, int], list[float]] = {}
        self.generation = 0
        self.ended = False
        self.batcher = Batcher(
            Policy("dynamic", wait_s=0.0),
            Limits(messages=3, tokens=6, padded=padded),
            encode=lambda texts: Encoded([[ord(letter) for letter in text] for text in texts], 0.0),
            to_encoder=self.to_encoder,
            to_model=self.to_model,
            take_back=self.take_back,
            to_lookup=self.to_lookup if cached else None,
            to_deliver=self.deliver,
            to_main=lambda note: None,
            revoked=lambda envelope: Revoked("revoked") if envelope in self.revoked else None,
            on_death=print,
        )

    def to_model(self, batch: list[EncodedText] | None) -> None:
        if batch is None:
            self.ended = True
        else:
            self.batches.append((batch, [list(item.refs) for item in batch]))

    def to_encoder(self, texts: list[str] | None) -> None:
        if texts is not None:
            assert not self.chunks, "given a second chunk"
            self.chunks.append(texts)

    def to_lookup(self, items: list[EncodedText] | None) -> None:
        if items is not None:
            self.lookups.append(items)

    def take_back(self) -> list[list[EncodedText]]:
        """All but the first batch: that one runs."""
        taken, self.batches[1:] = self.batches[1:], []
        return [batch for batch, _ in taken]

    def deliver(self, note: Any) -> None:
        if isinstance(note, Dropped):
            assert note.envelope not in self.dropped
            self.dropped.add(note.envelope)
        elif isinstance(note, Outcome):
            for refs, answer in zip(note.refs, note.answers, strict=True):
                for ref in refs:
                    assert answer == self.texts[ref], "the answer of another text"
                    self.answered[ref] += 1

    def step(self) -> None:
        """What the thread does between two notes."""
        self.batcher._encode_some()
        self.batcher._cut_batches()

    def receive(self, bulk: bool, texts: list[str]) -> None:
        messages = [Message(text) for text in texts]
        envelope = InFlightEnvelope("x", messages, False, bulk, time.monotonic(), self.generation)
        self.texts |= {(envelope, index): expected(text) for index, text in enumerate(texts)}
        self.sent.append(envelope)
        self.batcher._handle(envelope)

    def revoke(self, which: int) -> None:
        if self.sent:
            self.revoked.add(self.sent[which % len(self.sent)])

    def finish_batch(self) -> None:
        if self.batches:
            batch, refs = self.batches.pop(0)
            assert [item.refs for item in batch] == refs, "changed while the model thread has it"
            answers: list[Any] = [expected("".join(map(chr, item.ids))) for item in batch]
            self.batcher._handle(ModelFree(batch, answers))
            self.deliver(Outcome(refs, answers))

    def finish_chunk(self, took_s: float) -> None:
        if self.chunks:
            rows = [[ord(letter) for letter in text] for text in self.chunks.pop()]
            self.batcher._handle(Encoded(rows, took_s))

    def finish_lookup(self, hits: int) -> None:
        if self.lookups:
            items = self.lookups.pop(0)
            answers = [
                expected("".join(map(chr, item.ids))) if hits >> number & 1 else None
                for number, item in enumerate(items)
            ]
            self.batcher._handle(LookedUp(items, [b"key"] * len(items), answers))

    def reconnect(self) -> None:
        self.generation += 1
        self.batcher._handle(NewConnection(self.generation))

    def run_down(self) -> None:
        """Let everything that waits come to its end."""
        while self.batcher.buffered or self.batches or self.lookups or self.chunks:
            self.finish_chunk(0.0)
            self.finish_lookup(0b101)
            self.step()
            self.finish_batch()


def expected(text: str) -> list[float]:
    return [float(ord(letter)) for letter in text]


texts = st.lists(st.text(WORDS, min_size=1, max_size=2), min_size=1, max_size=5)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), st.booleans(), texts),
        st.tuples(st.just("receive"), st.booleans(), texts),
        st.tuples(st.just("step")),
        st.tuples(st.just("step")),
        st.tuples(st.just("finish_chunk"), st.sampled_from([0.0, 1.0])),
        st.tuples(st.just("finish_chunk"), st.sampled_from([0.0, 1.0])),
        st.tuples(st.just("finish_batch")),
        st.tuples(st.just("finish_lookup"), st.integers(0, 255)),
        st.tuples(st.just("revoke"), st.integers(0, 50)),
        st.tuples(st.just("reconnect")),
    ),
    max_size=50,
)


@pytest.mark.parametrize("drains", [False, True], ids=["runs on", "drains"])
@given(actions, st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_each_message_is_answered_once(drains: bool, todo: list[tuple[Any, ...]], cached: bool, padded: bool) -> None:
    world = World(cached=cached, padded=padded)
    for name, *arguments in todo:
        getattr(world, name)(*arguments)
    begun = [envelope for envelope in world.sent if envelope.started is not None]
    if drains:
        world.batcher._handle(Drain())
    world.run_down()
    assert not world.batcher._alike
    assert not world.batcher._sought
    assert all(count == 1 for count in world.answered.values()), "answered twice"
    for envelope in world.sent:
        answered = sum(world.answered[envelope, index] for index in range(len(envelope.messages)))
        if envelope in world.dropped:
            assert not answered
        elif envelope.generation == world.generation and (not drains or envelope in begun):
            assert answered == len(envelope.messages), "a message is lost"
