"""The scheduler through its public calls: what it asks for, for each thing that happens at a given time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest

from sluice.tasks.envelope import Message
from sluice.tasks.errors import InvalidInput, ModelFailed, Revoked
from sluice.worker.engine.batching.former import Limits
from sluice.worker.engine.batching.policy import BURST_GAP_S, Policy
from sluice.worker.engine.commands import Event
from sluice.worker.engine.encoder import Encoder
from sluice.worker.engine.mail import (
    Abort,
    Alone,
    Begin,
    Check,
    Drain,
    Dropped,
    Encoded,
    EncodedText,
    EngineNote,
    InFlightEnvelope,
    LookedUp,
    ModelFree,
    NewConnection,
    NotStored,
    Outcome,
    Started,
    Trial,
)
from sluice.worker.engine.scheduler import NEVER, OVERTAKE_REST, SLOW_ENCODE_S
from tests.unit.worker.engine.driver import Driver

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


class Rig(Driver):
    """A scheduler with a tokenizer, and queues where its other neighbours would be."""

    def __init__(self, *, share: bool = True, cached: bool = False, **policy: Any) -> None:
        self.tokenizer = Tokenizer()
        self.revoked: dict[str, Revoked] = {}
        encoder = Encoder(self.tokenizer, share=share, to_batcher=print, on_death=print)  # type: ignore[arg-type]
        super().__init__(
            Policy(**{"mode": "dynamic", "wait_s": 0.05, "share": share, **policy}),
            Limits(messages=4, padded=False),
            encode=encoder.encode,
            revoked=lambda envelope: self.revoked.get(envelope.id),
            cached=cached,
        )
        self.started: deque[Started] = deque()
        self.delivered: deque[EngineNote] = deque()

    def receive(self, name: str, *texts: str, **fields: Any) -> InFlightEnvelope:
        envelope = envelope_of(name, *texts, **{"arrived": self.now, **fields})
        self.send(envelope)
        return envelope

    def send(self, event: Event) -> None:
        """Tell it, and let everything that takes no time happen."""
        self.tell(event)
        self.settle()

    def settle(self) -> None:
        super().settle()
        while self.chunks and not self.ended:
            self.encode_aside()
            super().settle()
        for note in self.notes:
            (self.started if isinstance(note, Started) else self.delivered).append(note)  # type: ignore[arg-type]
        self.notes.clear()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.settle()

    def batch(self) -> list[EncodedText]:
        """The model begins its next batch, as soon as there is one."""
        self._pass_until(lambda: bool(self.model))
        return self.model.popleft()

    def refs(self) -> list[list[tuple[str, int]]]:
        """Who waits for each text of the next batch."""
        return [named(text.refs) for text in self.batch()]

    def free(self, batch: Sequence[EncodedText] = (), limit: int | None = None, answer: Any = ANSWER) -> None:
        """The model has finished a batch."""
        self.send(ModelFree(list(batch), [answer] * len(batch), limit))

    def note(self) -> EngineNote:
        """The next that comes out, announcements apart."""
        self._pass_until(lambda: bool(self.delivered))
        return self.delivered.popleft()

    def _pass_until(self, there: Callable[[], bool]) -> None:
        """Let time pass, from one thing that is due to the next."""
        while not there():
            due = self.scheduler.wake_at()
            assert due < NEVER, "it never comes"
            self.wait(max(0.0, due - self.now))

    def outcome(self) -> Outcome:
        outcome = self.note()
        assert isinstance(outcome, Outcome)
        return outcome


def named(refs: Any) -> list[tuple[str, int]]:
    return [(envelope.id, index) for envelope, index in refs]


def envelope_of(name: str, *texts: str, **fields: Any) -> InFlightEnvelope:
    messages = [Message(text) if text else Message("", None, InvalidInput("blank")) for text in texts]
    return InFlightEnvelope(
        name, messages, **{"single": False, "bulk": False, "arrived": 0.0, "generation": 0, **fields}
    )


serial = count()


def texts(number: int) -> list[str]:
    """So many texts that are like no other."""
    return [f"text {next(serial)}" for _ in range(number)]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_lone_message_goes_to_the_idle_model_at_once(rig: Rig) -> None:
    envelope = rig.receive("a", "hello")
    assert rig.refs() == [[("a", 0)]]
    assert rig.started.popleft().envelopes == [envelope]


def test_messages_that_come_while_the_model_is_busy_share_the_next_batch(rig: Rig) -> None:
    rig.receive("a", "first")
    first = rig.batch()
    for name in "bcd":
        rig.receive(name, *texts(1))
    assert not rig.model
    rig.free(first)
    assert rig.refs() == [[("b", 0)], [("c", 0)], [("d", 0)]]


def test_a_full_batch_is_sent_ahead_but_never_a_third(rig: Rig) -> None:
    rig.receive("a", *texts(12))
    assert len(rig.batch()) == len(rig.batch()) == 4
    assert not rig.model


def test_no_batch_is_sent_ahead_where_the_model_has_one_place() -> None:
    rig = Rig(places=1)
    rig.receive("a", *texts(8))
    first = rig.batch()
    assert not rig.model
    rig.free(first)
    assert len(rig.batch()) == 4


def test_bad_items_are_refused_without_the_model(rig: Rig) -> None:
    rig.receive("a", "good", "", "fine")
    outcome = rig.outcome()
    assert outcome.origin == "refused"
    assert named(outcome.refs[0]) == [("a", 1)]
    assert isinstance(outcome.answers[0], InvalidInput)
    assert rig.refs() == [[("a", 0)], [("a", 2)]]


def test_a_text_that_cannot_be_tokenised_fails_alone(rig: Rig) -> None:
    rig.receive("a", "good", "untokenisable", "fine", "good")
    assert isinstance(rig.outcome().answers[0], ModelFailed)
    assert rig.refs() == [[("a", 0), ("a", 3)], [("a", 2)]]


def test_a_revoked_envelope_is_dropped_just_before_the_model(rig: Rig) -> None:
    rig.receive("busy", "x")
    first = rig.batch()
    revoked = rig.receive("gone", "one", "two")
    rig.receive("kept", "three")
    rig.revoked["gone"] = Revoked("revoked")
    rig.free(first)
    assert rig.refs() == [[("kept", 0)]]
    dropped = rig.note()
    assert isinstance(dropped, Dropped)
    assert dropped.envelope is revoked
    assert isinstance(dropped.error, Revoked)


def test_a_started_envelope_is_not_revoked_half_way(rig: Rig) -> None:
    rig.receive("a", *texts(6))
    first = rig.batch()
    rig.revoked["a"] = Revoked("revoked")
    rig.free(first)
    assert rig.refs() == [[("a", 4)], [("a", 5)]]


def test_redelivered_and_refused_envelopes_go_to_deliver_first(rig: Rig) -> None:
    again = rig.receive("again", "text", redelivered=True)
    assert isinstance(rig.note(), Check)
    rig.receive("bad", refused=InvalidInput("no"))
    assert isinstance(rig.note(), Dropped)
    assert not rig.model
    rig.send(NotStored([again]))
    assert rig.refs() == [[("again", 0)]]


def test_envelopes_are_announced_when_their_first_message_runs(rig: Rig) -> None:
    single = rig.receive("single", "text")
    assert rig.started.popleft() == Started([single])
    rig.free(rig.batch())
    job = rig.receive("part", *texts(9), group="job")
    rig.batch()
    assert rig.started.popleft() == Started([job])
    assert not rig.started


def test_a_new_connection_forgets_what_came_over_the_old_one(rig: Rig) -> None:
    rig.receive("busy", "x")
    first = rig.batch()
    rig.receive("old", "one")
    rig.send(NewConnection(1))
    rig.receive("new", "two", generation=1)
    rig.free(first)
    assert rig.refs() == [[("new", 0)]]


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
    rig.send(Drain())
    rig.free()
    assert rig.refs() == [[("begun", 8)], [("begun", 9)]]
    rig.free()
    rig.free()
    assert rig.ended


class TestOvertaking:
    """A batch of bulk messages that stands ready behind the running one gives way to interactive ones."""

    @pytest.fixture
    def busy(self, rig: Rig) -> Rig:
        """Bulk messages: four run, four stand ready, two wait."""
        rig.receive("bulk", *texts(10), bulk=True)
        assert rig.refs() == [[("bulk", index)] for index in range(4)]
        assert len(rig.model) == 1
        return rig

    def test_an_interactive_message_is_in_the_next_batch(self, busy: Rig) -> None:
        assert busy.receive("urgent", "now please").started is not None
        assert busy.refs() == [[("urgent", 0)], *([("bulk", index)] for index in range(4, 7))]
        busy.free()
        busy.free()
        assert busy.refs() == [[("bulk", index)] for index in range(7, 10)]

    def test_so_are_those_that_come_after_it(self, busy: Rig) -> None:
        for name in ("first", "second", "third"):
            assert busy.receive(name, f"{name} of some").started is not None
        assert busy.refs() == [[("first", 0)], [("second", 0)], [("third", 0)], [("bulk", 4)]]

    def test_a_batch_without_bulk_messages_is_left_as_it_is(self, busy: Rig) -> None:
        urgent = busy.receive("urgent", *texts(4))
        assert urgent.started is not None
        busy.receive("later", "and me")
        assert busy.scheduler.buffered == 7
        assert busy.refs() == [[("urgent", index)] for index in range(4)]
        busy.free()
        assert busy.refs()[0] == [("later", 0)]

    def test_the_share_of_bulk_messages_that_are_overdue_stays(self, rig: Rig) -> None:
        rig.receive("bulk", *texts(10), bulk=True, arrived=rig.now - 60)
        rig.batch()
        assert len(rig.model) == 1
        assert rig.receive("urgent", *texts(10)).started is not None
        assert rig.refs() == [[("bulk", 4)], *([("urgent", index)] for index in range(3))]
        rig.receive("later", *texts(3))
        rig.free()
        assert rig.refs()[0] == [("bulk", 5)]

    def test_bulk_messages_do_not_overtake(self, busy: Rig) -> None:
        busy.receive("more", *texts(3), bulk=True)
        assert busy.scheduler.buffered == 5
        assert busy.refs() == [[("bulk", index)] for index in range(4, 8)]

    def test_whoever_joined_the_ready_batch_stays_with_it(self, rig: Rig) -> None:
        words = texts(8)
        rig.receive("bulk", *words, bulk=True)
        rig.batch()
        assert len(rig.model) == 1
        rig.receive("reads alike", words[7])
        assert rig.receive("urgent", "now please").started is not None
        assert rig.refs() == [
            [("bulk", 7), ("reads alike", 0)],
            [("urgent", 0)],
            [("bulk", 4)],
            [("bulk", 5)],
        ]
        rig.free()
        rig.free()
        assert rig.refs() == [[("bulk", 6)]]

    @pytest.mark.parametrize("mode", ["static", "none"])
    def test_modes_that_keep_to_the_order_of_arrival_leave_it(self, mode: str) -> None:
        rig = Rig(mode=mode, wait_s=0)
        rig.receive("bulk", *texts(10), bulk=True)
        first = rig.refs()
        assert len(rig.model) == 1
        rig.receive("urgent", "now please")
        assert not rig.chunks
        assert rig.refs() == [[("bulk", index)] for index in range(len(first), 2 * len(first))]


def test_an_abort_ends_it_whatever_is_at_the_model_or_waits() -> None:
    rig = Rig()
    rig.receive("begun", *texts(10))
    rig.batch()
    rig.batch()
    rig.send(Abort())
    assert rig.ended


def test_static_batches_wait_for_the_oldest_message_alone() -> None:
    rig = Rig(mode="static", wait_s=30)
    rig.receive("a", "one")
    rig.wait(29.9)
    assert not rig.model
    for name in "bcd":
        rig.receive(name, "text")
    assert len(rig.batch()) == 4
    rig.receive("e", "one")
    assert rig.scheduler.wake_at() == rig.now + 30
    rig.wait(30)
    assert rig.refs() == [[("e", 0)]]


def test_a_burst_is_waited_for_until_it_is_quiet_but_not_beyond_the_deadline(rig: Rig) -> None:
    rig.receive("a", "one", more=3)
    assert rig.scheduler.wake_at() == pytest.approx(rig.now + 0.05)
    rig.wait(BURST_GAP_S / 2)
    rig.receive("b", "two")
    assert rig.scheduler.wake_at() == rig.now + BURST_GAP_S
    rig.wait(BURST_GAP_S)
    assert rig.refs() == [[("a", 0)], [("b", 0)]]
    rig.free()
    rig.receive("c", "three", more=1)
    rig.wait(0.05)
    assert rig.refs() == [[("c", 0)]]


def test_nothing_is_due_where_nothing_waits(rig: Rig) -> None:
    assert rig.scheduler.wake_at() == NEVER
    rig.receive("a", "one")
    rig.free(rig.batch())
    assert rig.scheduler.wake_at() == NEVER


def test_a_slow_tokenizer_waits_for_a_full_batch_or_the_oldest_messages_deadline(rig: Rig) -> None:
    rig.receive("busy", "x")
    rig.tell(envelope_of("a", "one", arrived=rig.now))
    rig.due()
    rig.chunks.clear()
    rig.tell(Encoded([[1]], SLOW_ENCODE_S))
    rig.receive("b", "two")
    assert rig.scheduler.buffered == 2
    assert rig.scheduler.wake_at() == pytest.approx(rig.now + 0.05)
    rig.tell(envelope_of("c", *texts(3), arrived=rig.now))
    assert rig.scheduler.wake_at() <= rig.now
    rig.due()
    assert len(rig.chunks.pop()) == 4


def test_cutting_anew_takes_a_tenth_of_the_time_at_most(rig: Rig) -> None:
    rig.recut_s = 0.001
    rig.receive("bulk", *texts(10), bulk=True)
    rig.batch()
    first = rig.receive("first", *texts(1))
    assert first.started is not None
    second = rig.receive("second", *texts(1))
    assert second.started is None
    assert rig.scheduler.wake_at() == pytest.approx(rig.now + OVERTAKE_REST * rig.recut_s)
    rig.wait(OVERTAKE_REST * rig.recut_s)
    assert second.started is not None


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
        rig.free(first)
        assert rig.refs() == [[("a", 0), ("a", 2), ("b", 0)], [("a", 1)]]

    def test_equal_texts_are_tokenised_once_a_chunk(self, rig: Rig, first: list[EncodedText]) -> None:
        before = rig.tokenizer.encoded
        rig.receive("a", *["same"] * 50)
        assert rig.tokenizer.encoded == before + 1

    def test_one_that_runs_already_is_not_run_again(self, rig: Rig, first: list[EncodedText]) -> None:
        late = rig.receive("late", "busy", "other")
        assert late.started is None
        rig.free(first)
        outcome = rig.outcome()
        assert (outcome.origin, named(outcome.refs[0]), outcome.answers) == ("alike", [("late", 0)], [ANSWER])
        assert late.started is not None
        assert rig.refs() == [[("late", 1)]]

    def test_one_that_was_answered_runs_anew(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.free(first)
        rig.receive("later", "busy")
        assert rig.refs() == [[("later", 0)]]

    def test_an_error_is_that_of_all_who_share_the_text(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("late", "busy")
        rig.free(first, answer=ModelFailed("no"))
        assert isinstance(rig.outcome().answers[0], ModelFailed)

    def test_an_interactive_one_takes_a_bulk_one_along(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("archive", *texts(2), "urgent", bulk=True)
        rig.receive("caller", "urgent")
        rig.free(first)
        assert rig.refs()[0] == [("archive", 2), ("caller", 0)]

    def test_a_bulk_one_does_not_hold_an_interactive_one_back(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("caller", "urgent")
        rig.receive("archive", "urgent", *texts(2), bulk=True)
        rig.free(first)
        assert rig.refs()[0] == [("caller", 0), ("archive", 0)]

    def test_what_a_revoked_envelope_asked_for_runs_for_the_others(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("gone", "shared", "unshared")
        rig.receive("kept", "shared")
        rig.revoked["gone"] = Revoked("revoked")
        rig.free(first)
        assert rig.refs() == [[("kept", 0)]]

    def test_one_revoked_while_the_other_runs_gets_no_answer(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("gone", "busy")
        rig.receive("kept", "busy")
        rig.revoked["gone"] = Revoked("revoked")
        rig.free(first)
        assert isinstance(rig.note(), Dropped)
        assert named(rig.outcome().refs[0]) == [("kept", 0)]

    def test_a_text_whose_only_caller_was_revoked_can_come_again(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("gone", "shared")
        rig.revoked["gone"] = Revoked("revoked")
        rig.free(first)
        assert isinstance(rig.note(), Dropped)
        rig.receive("again", "shared")
        assert rig.refs() == [[("again", 0)]]

    def test_a_new_connection_takes_out_the_old_messages_only(self, rig: Rig, first: list[EncodedText]) -> None:
        rig.receive("old", "shared", "alone", "busy")
        rig.send(NewConnection(1))
        rig.receive("new", "shared", "busy", generation=1)
        rig.free(first)
        assert named(rig.outcome().refs[0]) == [("new", 1)]
        assert rig.refs() == [[("new", 0)]]
        rig.receive("newer", "alone", generation=1)
        rig.free()
        assert rig.refs() == [[("newer", 0)]]

    def test_draining_answers_begun_envelopes_and_forgets_those_who_joined(self, rig: Rig) -> None:
        rig.receive("begun", *texts(4), "later")
        first = rig.batch()
        rig.receive("joined", "later")
        rig.send(Drain())
        rig.free(first)
        second = rig.batch()
        assert named(second[0].refs) == [("begun", 4)]
        rig.free(second)
        assert rig.ended

    @pytest.mark.parametrize("how", [{"share": False}, {"mode": "static"}, {"mode": "none"}])
    def test_nothing_is_shared_where_that_is_off(self, how: dict[str, Any]) -> None:
        rig = Rig(**how)
        rig.receive("a", *["same"] * 4, arrived=-1.0)
        batches = [rig.batch()]
        while sum(map(len, batches)) < 4:
            rig.free(batches[-1])
            batches.append(rig.batch())
        assert all(len(text.refs) == 1 for batch in batches for text in batch)


class TestCache:
    """Texts go by the cache, played here."""

    @pytest.fixture
    def rig(self) -> Rig:
        return Rig(cached=True)

    def asked(self, rig: Rig) -> list[EncodedText]:
        return rig.lookups.popleft()

    def tell(self, rig: Rig, asked: list[EncodedText], *answers: list[float] | None) -> None:
        keys = [f"key {number}".encode() for number in range(len(asked))]
        rig.send(LookedUp(asked, keys, list(answers)))

    def test_hits_are_answered_and_misses_run(self, rig: Rig) -> None:
        envelope = rig.receive("a", "known", "new")
        self.tell(rig, self.asked(rig), ANSWER, None)
        outcome = rig.outcome()
        assert (outcome.origin, named(outcome.refs[0]), outcome.answers) == ("cache", [("a", 0)], [ANSWER])
        batch = rig.batch()
        assert [(named(text.refs), text.cache_key) for text in batch] == [([("a", 1)], b"key 1")]
        assert envelope.started is not None

    def test_a_text_is_looked_up_once_for_all_who_wait_for_it(self, rig: Rig) -> None:
        rig.receive("a", "known")
        asked = self.asked(rig)
        rig.receive("b", "known")
        assert not rig.lookups
        self.tell(rig, asked, ANSWER)
        assert named(rig.outcome().refs[0]) == [("a", 0), ("b", 0)]

    def test_an_interactive_message_takes_along_what_is_being_looked_up(self, rig: Rig) -> None:
        rig.receive("archive", *texts(5), "urgent", bulk=True)
        asked = self.asked(rig)
        rig.receive("caller", "urgent")
        self.tell(rig, asked, *[None] * 6)
        assert rig.refs()[0] == [("archive", 5), ("caller", 0)]

    def test_a_revoked_envelope_gets_no_cached_answer(self, rig: Rig) -> None:
        rig.receive("a", "known")
        asked = self.asked(rig)
        rig.revoked["a"] = Revoked("revoked")
        self.tell(rig, asked, ANSWER)
        assert isinstance(rig.note(), Dropped)
        assert not rig.delivered

    def test_what_was_forgotten_meanwhile_is_not_run(self, rig: Rig) -> None:
        rig.receive("old", "one")
        asked = self.asked(rig)
        rig.send(NewConnection(1))
        self.tell(rig, asked, None)
        rig.receive("new", "one", generation=1)
        self.tell(rig, self.asked(rig), None)
        assert rig.refs() == [[("new", 0)]]

    def test_draining_waits_for_the_lookup_of_begun_envelopes(self, rig: Rig) -> None:
        rig.receive("begun", *texts(65))
        first, last = self.asked(rig), self.asked(rig)  # both, before the first fill what waits for the model
        self.tell(rig, first, *[None] * len(first))
        rig.batch()
        rig.send(Drain())
        self.tell(rig, last, ANSWER)
        assert named(rig.outcome().refs[0]) == [("begun", 64)]
        seen = 4
        rig.free()
        while rig.model:
            seen += len(rig.batch())
            rig.free()
        assert seen == 64
        assert rig.ended


def test_a_trial_runs_with_nothing_else_in_the_model(rig: Rig) -> None:
    rig.receive("a", "first")
    first = rig.batch()
    suspect = envelope_of("s", "one", "", "two", "untokenisable", "not now")
    trial = Trial(suspect, 0, 4)
    rig.send(trial)
    rig.receive("b", *texts(5))
    assert not rig.model
    assert not rig.delivered
    rig.free(first)
    assert rig.note() == Alone(trial)
    assert not rig.model
    rig.send(Begin(trial))
    batch = rig.batch()
    assert [named(text.refs) for text in batch] == [[("s", 0)], [("s", 2)]]
    assert [named(rig.outcome().refs[0]) for _ in range(2)] == [[("s", 1)], [("s", 3)]]
    assert not rig.model
    rig.free(batch)
    assert len(rig.batch()) == 4


def test_a_trial_of_which_nothing_runs_holds_up_nobody(rig: Rig) -> None:
    suspect, revoked = envelope_of("s", ""), envelope_of("r", "text")
    rig.revoked["r"] = Revoked("no")
    for trial in (Trial(suspect, 0, 1), Trial(revoked, 0, 1)):
        rig.send(trial)
        assert rig.note() == Alone(trial)
        rig.send(Begin(trial))
        assert isinstance(rig.note(), Outcome if trial.envelope is suspect else Dropped)
    rig.receive("a", "text")
    assert rig.refs() == [[("a", 0)]]


def test_a_trial_that_was_not_begun_ends_with_its_connection(rig: Rig) -> None:
    rig.receive("a", "first")
    first = rig.batch()
    rig.send(Trial(envelope_of("s", "text"), 0, 1))
    rig.send(NewConnection(1))
    rig.free(first)
    rig.receive("b", "text", generation=1)
    assert rig.refs() == [[("b", 0)]]
    assert not rig.delivered


def test_a_trial_that_has_begun_is_finished_at_the_end() -> None:
    rig = Rig()
    trial = Trial(envelope_of("s", "text"), 0, 1)
    rig.send(trial)
    assert rig.note() == Alone(trial)
    rig.send(Drain())
    assert not rig.model
    rig.send(Begin(trial))
    rig.free(rig.batch())
    assert rig.ended
