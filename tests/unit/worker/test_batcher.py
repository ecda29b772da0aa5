"""The batcher thread on its own: what it sends where, for each note it gets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.envelope import Message
from tasks.errors import InvalidInput, ModelFailed, Revoked
from tests.harness.process import wait_for
from worker.batching.former import Limits
from worker.batching.policy import Policy
from worker.message import Check, Drain, Dropped, Item, ModelFree, NewConnection, NotStored, Outcome, Received, Started
from worker.threads.batcher import Batcher


class Tokenizer:
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        if "untokenisable" in texts:
            raise ValueError("no")
        return [[1] * max(1, len(text)) for text in texts]


class Rig:
    """A batcher with queues where its neighbours would be."""

    def __init__(self, **policy: Any) -> None:
        self.model: SimpleQueue[list[Item] | None] = SimpleQueue()
        self.deliver: SimpleQueue[Any] = SimpleQueue()
        self.main: SimpleQueue[Any] = SimpleQueue()
        self.revoked: dict[str, Revoked] = {}
        self.deaths: list[str] = []
        self.batcher = Batcher(
            Tokenizer(),  # type: ignore[arg-type]
            Policy(**{"mode": "dynamic", "wait_s": 0.05, **policy}),
            Limits(messages=4, padded=False),
            to_model=self.model.put,
            to_deliver=self.deliver.put,
            to_main=self.main.put,
            revoked=lambda envelope: self.revoked.get(envelope.id),
            on_death=self.deaths.append,
        )
        self.batcher.start()

    def receive(self, name: str, *texts: str, **fields: Any) -> Received:
        envelope = envelope_of(name, *texts, **fields)
        self.batcher.inbox.put(envelope)
        return envelope

    def batch(self) -> list[Item]:
        batch = self.model.get(timeout=10)
        assert batch is not None
        return batch

    def settled(self) -> None:
        """Wait until the batcher has nothing left to read."""
        wait_for(self.batcher.inbox.empty, "an empty inbox", 10)
        wait_for(lambda: not any(self.batcher._raw.values()), "everything tokenised", 10)


def envelope_of(name: str, *texts: str, **fields: Any) -> Received:
    messages = [Message(text) if text else Message("", None, InvalidInput("blank")) for text in texts]
    request = SimpleNamespace(id=name, group=fields.pop("group", None))
    return Received(request, messages, **{"single": False, "bulk": False, "arrived": 0.0, "generation": 0, **fields})


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.batcher.inbox.put(Drain())
    for _ in range(8):
        made.batcher.inbox.put(ModelFree())
    assert not made.deaths


def test_a_lone_message_goes_to_the_idle_model_at_once(rig: Rig) -> None:
    envelope = rig.receive("a", "hello")
    assert [(item.envelope, item.index) for item in rig.batch()] == [(envelope, 0)]
    assert rig.main.get(timeout=5).envelopes == [envelope]


def test_messages_that_come_while_the_model_is_busy_share_the_next_batch(rig: Rig) -> None:
    rig.receive("a", "first")
    rig.batch()
    for name in "bcd":
        rig.receive(name, "more")
    rig.settled()
    assert rig.model.empty()
    rig.batcher.inbox.put(ModelFree())
    assert [item.envelope.id for item in rig.batch()] == ["b", "c", "d"]


def test_a_full_batch_is_sent_ahead_but_never_a_third(rig: Rig) -> None:
    rig.receive("a", *["text"] * 12)
    assert len(rig.batch()) == len(rig.batch()) == 4
    rig.settled()
    assert rig.model.empty()


def test_bad_items_are_refused_without_the_model(rig: Rig) -> None:
    envelope = rig.receive("a", "good", "", "fine")
    outcome = rig.deliver.get(timeout=5)
    assert isinstance(outcome, Outcome)
    assert outcome.places == [(envelope, 1)]
    assert isinstance(outcome.results[0], InvalidInput)
    assert [item.index for item in rig.batch()] == [0, 2]


def test_a_text_that_cannot_be_tokenised_fails_alone(rig: Rig) -> None:
    rig.receive("a", "good", "untokenisable", "fine")
    outcome = rig.deliver.get(timeout=5)
    assert isinstance(outcome.results[0], ModelFailed)
    assert [item.index for item in rig.batch()] == [0, 2]


def test_a_revoked_envelope_is_dropped_just_before_the_model(rig: Rig) -> None:
    rig.receive("busy", "x")
    rig.batch()
    revoked = rig.receive("gone", "one", "two")
    rig.receive("kept", "three")
    rig.settled()
    rig.revoked["gone"] = Revoked("revoked")
    rig.batcher.inbox.put(ModelFree())
    assert [item.envelope.id for item in rig.batch()] == ["kept"]
    dropped = rig.deliver.get(timeout=5)
    assert isinstance(dropped, Dropped)
    assert dropped.envelope is revoked
    assert isinstance(dropped.error, Revoked)


def test_a_started_envelope_is_not_revoked_half_way(rig: Rig) -> None:
    rig.receive("a", *["text"] * 6)
    rig.batch()
    rig.revoked["a"] = Revoked("revoked")
    rig.batcher.inbox.put(ModelFree())
    assert [item.index for item in rig.batch()] == [4, 5]


def test_redelivered_and_refused_envelopes_go_to_deliver_first(rig: Rig) -> None:
    again = rig.receive("again", "text", redelivered=True)
    assert isinstance(rig.deliver.get(timeout=5), Check)
    rig.receive("bad", refused=InvalidInput("no"))
    assert isinstance(rig.deliver.get(timeout=5), Dropped)
    assert rig.model.empty()
    rig.batcher.inbox.put(NotStored([again]))
    assert rig.batch()[0].envelope is again


def test_jobs_are_announced_to_the_result_store_others_are_not(rig: Rig) -> None:
    rig.receive("single", "text")
    rig.batch()
    rig.batcher.inbox.put(ModelFree())
    job = rig.receive("part", "text", group="job")
    rig.batch()
    note = rig.deliver.get(timeout=5)
    assert isinstance(note, Started)
    assert note.envelopes == [job]


def test_a_new_connection_forgets_what_came_over_the_old_one(rig: Rig) -> None:
    rig.receive("busy", "x")
    rig.batch()
    rig.receive("old", "one")
    rig.batcher.inbox.put(NewConnection(1))
    rig.receive("new", "two", generation=1)
    rig.settled()
    rig.batcher.inbox.put(ModelFree())
    assert [item.envelope.id for item in rig.batch()] == ["new"]


def test_out_of_memory_makes_later_batches_smaller(rig: Rig) -> None:
    rig.receive("a", *["text"] * 4)
    rig.batch()
    rig.batcher.inbox.put(ModelFree(limit=2))
    rig.receive("b", *["text"] * 4)
    assert len(rig.batch()) == 2


def test_draining_finishes_what_was_begun_forgets_the_rest_and_ends(rig: Rig) -> None:
    rig.receive("begun", *["text"] * 10)
    rig.batch()
    rig.batch()
    rig.receive("waiting", "text")
    rig.settled()
    rig.batcher.inbox.put(Drain())
    rig.batcher.inbox.put(ModelFree())
    assert [item.index for item in rig.batch()] == [8, 9]
    rig.batcher.inbox.put(ModelFree())
    rig.batcher.inbox.put(ModelFree())
    assert rig.model.get(timeout=10) is None
    rig.batcher.join(10)
    assert not rig.batcher.is_alive()


def test_static_batches_wait_for_the_oldest_message_alone() -> None:
    rig = Rig(mode="static", wait_s=30)
    rig.receive("a", "one", arrived=float("inf"))
    rig.settled()
    assert rig.model.empty()
    for name in "bcd":
        rig.receive(name, "text", arrived=float("inf"))
    assert len(rig.batch()) == 4
    assert not rig.deaths
