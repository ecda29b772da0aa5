"""The batcher thread on its own: what it sends where, for each note it gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import count
from queue import SimpleQueue
from typing import Any

import pytest

from sluice.harness.process import wait_for
from sluice.tasks.envelope import Message
from sluice.tasks.errors import InvalidInput, ModelFailed, Revoked
from sluice.worker.engine.batcher import Batcher
from sluice.worker.engine.batching.former import Limits
from sluice.worker.engine.batching.policy import Policy
from sluice.worker.engine.encoder import Encoder
from sluice.worker.engine.mail import (
    Abort,
    Alone,
    Begin,
    Check,
    Drain,
    Dropped,
    EncodedText,
    InFlightEnvelope,
    LookedUp,
    ModelFree,
    NewConnection,
    NotStored,
    Outcome,
    Started,
    Trial,
)

ANSWER = [0.2, 0.8]


class Tokenizer:
    """Words become numbers, the same number for the same word in whatever case."""

    def __init__(self) -> None:
        self.words: dict[str, int] = {}
        self.encoded = 0

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        if "untokenisable" in texts:
            raise ValueError("no")
        self.encoded += len(texts)
        return [[self.words.setdefault(word, len(self.words)) for word in text.lower().split()] for text in texts]


class Inbox(SimpleQueue[Any]):
    """Knows how many notes it was sent, and how many its reader was done with when it last began to wait."""

    def __init__(self) -> None:
        self.sent = self.taken = self.done = 0
        self._lock = threading.Lock()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        with self._lock:  # several threads send
            self.sent += 1
        super().put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        self.done = self.taken
        item = super().get(block, timeout)
        self.taken += 1
        return item

    def get_nowait(self) -> Any:
        item = super().get_nowait()
        self.taken += 1
        return item


class Rig:
    """A batcher with queues where its neighbours would be."""

    def __init__(self, *, share: bool = True, cached: bool = False, **policy: Any) -> None:
        self.tokenizer = Tokenizer()
        self.model: SimpleQueue[list[EncodedText] | None] = SimpleQueue()
        self.lookup: SimpleQueue[list[EncodedText] | None] = SimpleQueue()
        self.deliver: SimpleQueue[Any] = SimpleQueue()
        self.main: SimpleQueue[Any] = SimpleQueue()
        self.revoked: dict[str, Revoked] = {}
        self.deaths: list[str] = []
        self.encoder = Encoder(
            self.tokenizer,  # type: ignore[arg-type]
            share=share,
            to_batcher=lambda note: self.batcher.inbox.put(note),
            on_death=self.deaths.append,
        )
        self.batcher = Batcher(
            Policy(**{"mode": "dynamic", "wait_s": 0.05, **policy}),
            Limits(messages=4, padded=False),
            encode=self.encoder.encode,
            to_encoder=self.encoder.inbox.put,
            to_model=self.model.put,
            take_back=self.take_back,
            to_lookup=self.lookup.put if cached else None,
            to_deliver=self.deliver.put,
            to_main=self.main.put,
            revoked=lambda envelope: self.revoked.get(envelope.id),
            share=share,
            on_death=self.deaths.append,
        )
        self.inbox = self.batcher.inbox = Inbox()
        self.encoder.start()
        self.batcher.start()

    def receive(self, name: str, *texts: str, **fields: Any) -> InFlightEnvelope:
        envelope = envelope_of(name, *texts, **fields)
        self.batcher.inbox.put(envelope)
        return envelope

    def take_back(self) -> list[list[EncodedText]]:
        """What the model has not begun: all that nobody has taken here."""
        return [self.model.get_nowait() for _ in range(self.model.qsize())]  # type: ignore[misc]

    def batch(self) -> list[EncodedText]:
        batch = self.model.get(timeout=10)
        assert batch is not None
        return batch

    def places(self) -> list[list[tuple[str, int]]]:
        """Who waits for each item of the next batch."""
        return [named(item.refs) for item in self.batch()]

    def free(self, batch: Sequence[EncodedText] = (), limit: int | None = None, answer: Any = ANSWER) -> None:
        """The model has finished a batch."""
        self.batcher.inbox.put(ModelFree(list(batch), [answer] * len(batch), limit))

    def outcome(self) -> Outcome:
        outcome = self.deliver.get(timeout=5)
        assert isinstance(outcome, Outcome)
        return outcome

    def settled(self) -> None:
        """Wait until the batcher has nothing left to read, and is done with what it has read."""
        batcher, inbox = self.batcher, self.inbox
        tokenised = lambda: not any(batcher._raw.values()) and not batcher._encoding  # noqa: E731
        wait_for(lambda: inbox.done == inbox.sent and tokenised(), "a batcher that waits", 10)

    def begun(self, envelope: InFlightEnvelope) -> None:
        """Wait until a batch with a message of it is cut."""
        while envelope not in self.main.get(timeout=10).envelopes:
            pass

    def waiting(self, count: int, *, bulk: bool) -> None:
        """Wait until so many tokenised messages of a lane wait."""
        wait_for(lambda: self.batcher._former.waiting(bulk=bulk) == count, f"{count} waiting", 10)

    def end(self) -> None:
        self.batcher.inbox.put(Drain())
        for _ in range(8):
            self.free()


def named(refs: Any) -> list[tuple[str, int]]:
    return [(envelope.id, index) for envelope, index in refs]


def envelope_of(name: str, *texts: str, **fields: Any) -> InFlightEnvelope:
    messages = [Message(text) if text else Message("", None, InvalidInput("blank")) for text in texts]
    return InFlightEnvelope(
        name, messages, **{"single": False, "bulk": False, "arrived": time.monotonic(), "generation": 0, **fields}
    )


serial = count()


def texts(number: int) -> list[str]:
    """So many texts that are like no other."""
    return [f"text {next(serial)}" for _ in range(number)]


@pytest.fixture(autouse=True)
def quick_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokenizer counts as quick, whatever else the machine does; of a slow one the batcher asks less often."""
    monkeypatch.setattr("sluice.worker.engine.batcher.SLOW_ENCODE_S", 60.0)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.end()
    assert not made.deaths


def test_a_lone_message_goes_to_the_idle_model_at_once(rig: Rig) -> None:
    envelope = rig.receive("a", "hello")
    assert rig.places() == [[("a", 0)]]
    assert rig.main.get(timeout=5).envelopes == [envelope]


def test_messages_that_come_while_the_model_is_busy_share_the_next_batch(rig: Rig) -> None:
    rig.receive("a", "first")
    first = rig.batch()
    for name in "bcd":
        rig.receive(name, *texts(1))
    rig.settled()
    assert rig.model.empty()
    rig.free(first)
    assert rig.places() == [[("b", 0)], [("c", 0)], [("d", 0)]]


def test_a_full_batch_is_sent_ahead_but_never_a_third(rig: Rig) -> None:
    rig.receive("a", *texts(12))
    assert len(rig.batch()) == len(rig.batch()) == 4
    rig.settled()
    assert rig.model.empty()


def test_no_batch_is_sent_ahead_where_the_model_has_one_place() -> None:
    rig = Rig(places=1)
    rig.receive("a", *texts(8))
    first = rig.batch()
    rig.settled()
    assert rig.model.empty()
    rig.free(first)
    assert len(rig.batch()) == 4
    rig.end()


def test_bad_items_are_refused_without_the_model(rig: Rig) -> None:
    rig.receive("a", "good", "", "fine")
    outcome = rig.outcome()
    assert outcome.origin == "refused"
    assert named(outcome.refs[0]) == [("a", 1)]
    assert isinstance(outcome.answers[0], InvalidInput)
    assert rig.places() == [[("a", 0)], [("a", 2)]]


def test_a_text_that_cannot_be_tokenised_fails_alone(rig: Rig) -> None:
    rig.receive("a", "good", "untokenisable", "fine", "good")
    assert isinstance(rig.outcome().answers[0], ModelFailed)
    assert rig.places() == [[("a", 0), ("a", 3)], [("a", 2)]]


def test_a_revoked_envelope_is_dropped_just_before_the_model(rig: Rig) -> None:
    rig.receive("busy", "x")
    first = rig.batch()
    revoked = rig.receive("gone", "one", "two")
    rig.receive("kept", "three")
    rig.settled()
    rig.revoked["gone"] = Revoked("revoked")
    rig.free(first)
    assert rig.places() == [[("kept", 0)]]
    dropped = rig.deliver.get(timeout=5)
    assert isinstance(dropped, Dropped)
    assert dropped.envelope is revoked
    assert isinstance(dropped.error, Revoked)


def test_a_started_envelope_is_not_revoked_half_way(rig: Rig) -> None:
    rig.receive("a", *texts(6))
    first = rig.batch()
    rig.revoked["a"] = Revoked("revoked")
    rig.free(first)
    assert rig.places() == [[("a", 4)], [("a", 5)]]


def test_redelivered_and_refused_envelopes_go_to_deliver_first(rig: Rig) -> None:
    again = rig.receive("again", "text", redelivered=True)
    assert isinstance(rig.deliver.get(timeout=5), Check)
    rig.receive("bad", refused=InvalidInput("no"))
    assert isinstance(rig.deliver.get(timeout=5), Dropped)
    assert rig.model.empty()
    rig.batcher.inbox.put(NotStored([again]))
    assert rig.places() == [[("again", 0)]]


def test_jobs_are_announced_to_the_result_store_others_are_not(rig: Rig) -> None:
    rig.receive("single", "text")
    rig.free(rig.batch())
    job = rig.receive("part", "text", group="job")
    rig.batch()
    note = rig.deliver.get(timeout=5)
    assert isinstance(note, Started)
    assert note.envelopes == [job]


def test_a_new_connection_forgets_what_came_over_the_old_one(rig: Rig) -> None:
    rig.receive("busy", "x")
    first = rig.batch()
    rig.receive("old", "one")
    rig.batcher.inbox.put(NewConnection(1))
    rig.receive("new", "two", generation=1)
    rig.settled()
    rig.free(first)
    assert rig.places() == [[("new", 0)]]


def test_out_of_memory_makes_later_batches_smaller(rig: Rig) -> None:
    rig.receive("a", *texts(4))
    rig.free(rig.batch(), limit=2)
    rig.receive("b", *texts(4))
    assert len(rig.batch()) == 2


def test_draining_finishes_what_was_begun_forgets_the_rest_and_ends(rig: Rig) -> None:
    rig.receive("begun", *texts(10))
    rig.batch()
    rig.batch()
    rig.receive("waiting", "text")
    rig.settled()
    rig.batcher.inbox.put(Drain())
    rig.free()
    assert rig.places() == [[("begun", 8)], [("begun", 9)]]
    rig.free()
    rig.free()
    assert rig.model.get(timeout=10) is None
    rig.batcher.join(10)
    assert not rig.batcher.is_alive()


class TestOvertaking:
    """A batch of bulk messages that stands ready behind the running one gives way to interactive ones."""

    @pytest.fixture
    def busy(self, rig: Rig) -> Rig:
        """Bulk messages: four run, four stand ready, two wait."""
        rig.receive("bulk", *texts(10), bulk=True)
        assert rig.places() == [[("bulk", index)] for index in range(4)]
        wait_for(lambda: rig.model.qsize() == 1, "a batch ready", 10)
        return rig

    def test_an_interactive_message_is_in_the_next_batch(self, busy: Rig) -> None:
        busy.begun(busy.receive("urgent", "now please"))
        assert busy.places() == [[("urgent", 0)], *([("bulk", index)] for index in range(4, 7))]
        busy.free()
        busy.free()
        assert busy.places() == [[("bulk", index)] for index in range(7, 10)]

    def test_so_are_those_that_come_after_it(self, busy: Rig) -> None:
        for name in ("first", "second", "third"):
            busy.begun(busy.receive(name, f"{name} of some"))
        assert busy.places() == [[("first", 0)], [("second", 0)], [("third", 0)], [("bulk", 4)]]

    def test_a_batch_without_bulk_messages_is_left_as_it_is(self, busy: Rig) -> None:
        urgent = busy.receive("urgent", *texts(4))
        busy.begun(urgent)
        busy.receive("later", "and me")
        busy.waiting(1, bulk=False)
        assert busy.places() == [[("urgent", index)] for index in range(4)]
        busy.free()
        assert busy.places()[0] == [("later", 0)]

    def test_the_share_of_bulk_messages_that_are_overdue_stays(self, rig: Rig) -> None:
        rig.receive("bulk", *texts(10), bulk=True, arrived=time.monotonic() - 60)
        rig.batch()
        wait_for(lambda: rig.model.qsize() == 1, "a batch ready", 10)
        rig.begun(rig.receive("urgent", *texts(10)))
        assert rig.places() == [[("bulk", 4)], *([("urgent", index)] for index in range(3))]
        rig.receive("later", *texts(3))
        rig.free()
        assert rig.places()[0] == [("bulk", 5)]

    def test_bulk_messages_do_not_overtake(self, busy: Rig) -> None:
        busy.receive("more", *texts(3), bulk=True)
        busy.waiting(5, bulk=True)
        assert busy.places() == [[("bulk", index)] for index in range(4, 8)]

    def test_whoever_joined_the_ready_batch_stays_with_it(self, rig: Rig) -> None:
        words = texts(8)
        rig.receive("bulk", *words, bulk=True)
        rig.batch()
        wait_for(lambda: rig.model.qsize() == 1, "a batch ready", 10)
        rig.receive("reads alike", words[7])
        rig.begun(rig.receive("urgent", "now please"))
        assert rig.places() == [
            [("bulk", 7), ("reads alike", 0)],
            [("urgent", 0)],
            [("bulk", 4)],
            [("bulk", 5)],
        ]
        rig.free()
        rig.free()
        assert rig.places() == [[("bulk", 6)]]

    @pytest.mark.parametrize("mode", ["static", "none"])
    def test_modes_that_keep_to_the_order_of_arrival_leave_it(self, mode: str) -> None:
        rig = Rig(mode=mode, wait_s=0)
        rig.receive("bulk", *texts(10), bulk=True)
        first = rig.places()
        wait_for(lambda: rig.model.qsize() == 1, "a batch ready", 10)
        rig.receive("urgent", "now please")
        rig.waiting(1, bulk=False)
        assert rig.places() == [[("bulk", index)] for index in range(len(first), 2 * len(first))]
        rig.end()


def test_an_abort_ends_it_whatever_is_at_the_model_or_waits() -> None:
    rig = Rig()
    rig.receive("begun", *texts(10))
    rig.batch()
    rig.batch()
    rig.batcher.inbox.put(Abort())
    assert rig.model.get(timeout=10) is None
    for thread in (rig.batcher, rig.encoder):
        thread.join(10)
        assert not thread.is_alive()
    assert not rig.deaths


def test_static_batches_wait_for_the_oldest_message_alone() -> None:
    rig = Rig(mode="static", wait_s=30)
    rig.receive("a", "one", arrived=float("inf"))
    rig.settled()
    assert rig.model.empty()
    for name in "bcd":
        rig.receive(name, "text", arrived=float("inf"))
    assert len(rig.batch()) == 4
    assert not rig.deaths


class TestAlike:
    """Messages that read alike."""

    @pytest.fixture
    def first(self, rig: Rig) -> list[EncodedText]:
        """A batch that keeps the model busy."""
        rig.receive("busy", "busy")
        return rig.batch()

    def test_those_that_wait_together_run_once(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("a", "Call now", "other", "call NOW")
        rig.receive("b", "CALL now")
        rig.settled()
        rig.free(first)
        assert rig.places() == [[("a", 0), ("a", 2), ("b", 0)], [("a", 1)]]

    def test_equal_texts_are_tokenised_once_a_chunk(self, rig: Rig, first: list[EncodedText]) -> None:
        before = rig.tokenizer.encoded
        rig.receive("a", *["same"] * 50)
        rig.settled()
        assert rig.tokenizer.encoded == before + 1

    def test_one_that_runs_already_is_not_run_again(self, rig: Rig, first: list[EncodedText]) -> None:
        late = rig.receive("late", "busy", "other")
        rig.settled()
        assert late.started is None
        rig.free(first)
        outcome = rig.outcome()
        assert (outcome.origin, named(outcome.refs[0]), outcome.answers) == ("alike", [("late", 0)], [ANSWER])
        assert late.started is not None
        assert rig.places() == [[("late", 1)]]

    def test_one_that_was_answered_runs_anew(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.free(first)
        rig.receive("later", "busy")
        assert rig.places() == [[("later", 0)]]

    def test_an_error_is_that_of_all_who_share_the_text(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("late", "busy")
        rig.settled()
        rig.free(first, answer=ModelFailed("no"))
        assert isinstance(rig.outcome().answers[0], ModelFailed)

    def test_an_interactive_one_takes_a_bulk_one_along(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("archive", *texts(2), "urgent", bulk=True)
        rig.settled()
        rig.receive("caller", "urgent")
        rig.settled()
        rig.free(first)
        assert rig.places()[0] == [("archive", 2), ("caller", 0)]

    def test_a_bulk_one_does_not_hold_an_interactive_one_back(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("caller", "urgent")
        rig.receive("archive", "urgent", *texts(2), bulk=True)
        rig.settled()
        rig.free(first)
        assert rig.places()[0] == [("caller", 0), ("archive", 0)]

    def test_what_a_revoked_envelope_asked_for_runs_for_the_others(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("gone", "shared", "unshared")
        rig.receive("kept", "shared")
        rig.settled()
        rig.revoked["gone"] = Revoked("revoked")
        rig.free(first)
        assert rig.places() == [[("kept", 0)]]

    def test_one_revoked_while_the_other_runs_gets_no_answer(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("gone", "busy")
        rig.receive("kept", "busy")
        rig.settled()
        rig.revoked["gone"] = Revoked("revoked")
        rig.free(first)
        assert isinstance(rig.deliver.get(timeout=5), Dropped)
        assert named(rig.outcome().refs[0]) == [("kept", 0)]

    def test_a_text_whose_only_caller_was_revoked_can_come_again(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("gone", "shared")
        rig.settled()
        rig.revoked["gone"] = Revoked("revoked")
        rig.free(first)
        assert isinstance(rig.deliver.get(timeout=5), Dropped)
        rig.receive("again", "shared")
        assert rig.places() == [[("again", 0)]]

    def test_a_new_connection_takes_out_the_old_places_only(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("old", "shared", "alone", "busy")
        rig.settled()
        rig.batcher.inbox.put(NewConnection(1))
        rig.receive("new", "shared", "busy", generation=1)
        rig.settled()
        rig.free(first)
        assert named(rig.outcome().refs[0]) == [("new", 1)]
        assert rig.places() == [[("new", 0)]]
        rig.receive("newer", "alone", generation=1)
        rig.free()
        assert rig.places() == [[("newer", 0)]]

    def test_draining_answers_begun_envelopes_and_forgets_those_who_joined(self, rig: Rig) -> None:
        rig.receive("begun", *texts(4), "later")
        first = rig.batch()
        rig.receive("joined", "later")
        rig.settled()
        rig.batcher.inbox.put(Drain())
        rig.free(first)
        second = rig.batch()
        assert named(second[0].refs) == [("begun", 4)]
        rig.free(second)
        assert rig.model.get(timeout=10) is None

    @pytest.mark.parametrize("how", [{"share": False}, {"mode": "static"}, {"mode": "none"}])
    def test_nothing_is_shared_where_that_is_off(self, how: dict[str, Any]) -> None:
        rig = Rig(**how)
        rig.receive("a", *["same"] * 4, arrived=-1.0)
        batches = [rig.batch()]
        while sum(map(len, batches)) < 4:
            rig.free(batches[-1])
            batches.append(rig.batch())
        assert all(len(item.refs) == 1 for batch in batches for item in batch)
        rig.end()


class TestCache:
    """Items go by the lookup thread, played here."""

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        made = Rig(cached=True)
        yield made
        made.end()
        assert not made.deaths

    def asked(self, rig: Rig) -> list[EncodedText]:
        items = rig.lookup.get(timeout=5)
        assert items is not None
        return items

    def tell(self, rig: Rig, items: list[EncodedText], *answers: list[float] | None) -> None:
        keys = [f"key {number}".encode() for number in range(len(items))]
        rig.batcher.inbox.put(LookedUp(items, keys, list(answers)))

    def test_hits_are_answered_and_misses_run(self, rig: Rig) -> None:
        envelope = rig.receive("a", "known", "new")
        self.tell(rig, self.asked(rig), ANSWER, None)
        outcome = rig.outcome()
        assert (outcome.origin, named(outcome.refs[0]), outcome.answers) == ("cache", [("a", 0)], [ANSWER])
        batch = rig.batch()
        assert [(named(item.refs), item.cache_key) for item in batch] == [([("a", 1)], b"key 1")]
        assert envelope.started is not None

    def test_a_text_is_looked_up_once_for_all_who_wait_for_it(self, rig: Rig) -> None:
        rig.receive("a", "known")
        items = self.asked(rig)
        rig.receive("b", "known")
        rig.settled()
        assert rig.lookup.empty()
        self.tell(rig, items, ANSWER)
        assert named(rig.outcome().refs[0]) == [("a", 0), ("b", 0)]

    def test_an_interactive_message_takes_along_what_is_being_looked_up(self, rig: Rig) -> None:
        rig.receive("archive", *texts(5), "urgent", bulk=True)
        items = self.asked(rig)
        rig.receive("caller", "urgent")
        rig.settled()
        self.tell(rig, items, *[None] * 6)
        assert rig.places()[0] == [("archive", 5), ("caller", 0)]

    def test_a_revoked_envelope_gets_no_cached_answer(self, rig: Rig) -> None:
        rig.receive("a", "known")
        items = self.asked(rig)
        rig.revoked["a"] = Revoked("revoked")
        self.tell(rig, items, ANSWER)
        assert isinstance(rig.deliver.get(timeout=5), Dropped)
        rig.settled()
        assert rig.deliver.empty()

    def test_what_was_forgotten_meanwhile_is_not_run(self, rig: Rig) -> None:
        rig.receive("old", "one")
        items = self.asked(rig)
        rig.batcher.inbox.put(NewConnection(1))
        self.tell(rig, items, None)
        rig.receive("new", "one", generation=1)
        self.tell(rig, self.asked(rig), None)
        assert rig.places() == [[("new", 0)]]

    def test_draining_waits_for_the_lookup_of_begun_envelopes(self, rig: Rig) -> None:
        rig.receive("begun", *texts(65))
        first, last = self.asked(rig), self.asked(rig)  # both, before the first fill what waits for the model
        self.tell(rig, first, *[None] * len(first))
        rig.batch()
        rig.batcher.inbox.put(Drain())
        self.tell(rig, last, ANSWER)
        assert named(rig.outcome().refs[0]) == [("begun", 64)]
        for _ in range(16):
            rig.free()
        seen = 4
        while (batch := rig.model.get(timeout=10)) is not None:
            seen += len(batch)
        assert seen == 64
        assert rig.lookup.get(timeout=10) is None


def test_a_trial_runs_with_nothing_else_in_the_model(rig: Rig) -> None:
    rig.receive("a", "first")
    first = rig.batch()
    suspect = envelope_of("s", "one", "", "two", "untokenisable", "not now")
    trial = Trial(suspect, 0, 4)
    rig.batcher.inbox.put(trial)
    rig.receive("b", *texts(5))
    rig.settled()
    assert rig.model.empty()
    assert rig.deliver.empty()
    rig.free(first)
    assert rig.deliver.get(timeout=5) == Alone(trial)
    rig.settled()
    assert rig.model.empty()
    rig.batcher.inbox.put(Begin(trial))
    batch = rig.batch()
    assert [named(item.refs) for item in batch] == [[("s", 0)], [("s", 2)]]
    assert [named(rig.outcome().refs[0]) for _ in range(2)] == [[("s", 1)], [("s", 3)]]
    rig.settled()
    assert rig.model.empty()
    rig.free(batch)
    assert len(rig.batch()) == 4


def test_a_trial_of_which_nothing_runs_holds_up_nobody(rig: Rig) -> None:
    suspect, revoked = envelope_of("s", ""), envelope_of("r", "text")
    rig.revoked["r"] = Revoked("no")
    for trial in (Trial(suspect, 0, 1), Trial(revoked, 0, 1)):
        rig.batcher.inbox.put(trial)
        assert rig.deliver.get(timeout=5) == Alone(trial)
        rig.batcher.inbox.put(Begin(trial))
        assert isinstance(rig.deliver.get(timeout=5), Outcome if trial.envelope is suspect else Dropped)
    rig.receive("a", "text")
    assert rig.places() == [[("a", 0)]]


def test_a_trial_that_was_not_begun_ends_with_its_connection(rig: Rig) -> None:
    rig.receive("a", "first")
    first = rig.batch()
    rig.batcher.inbox.put(Trial(envelope_of("s", "text"), 0, 1))
    rig.batcher.inbox.put(NewConnection(1))
    rig.free(first)
    rig.receive("b", "text", generation=1)
    assert rig.places() == [[("b", 0)]]
    assert rig.deliver.empty()


def test_a_trial_that_has_begun_is_finished_at_the_end() -> None:
    rig = Rig()
    trial = Trial(envelope_of("s", "text"), 0, 1)
    rig.batcher.inbox.put(trial)
    assert rig.deliver.get(timeout=5) == Alone(trial)
    rig.batcher.inbox.put(Drain())
    rig.settled()
    assert rig.model.empty()
    rig.batcher.inbox.put(Begin(trial))
    rig.free(rig.batch())
    assert rig.model.get(timeout=5) is None
    rig.batcher.join(5)
    assert not rig.batcher.is_alive()
