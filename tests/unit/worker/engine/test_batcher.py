"""The threads around the scheduler: what is submitted comes out, and the end reaches every thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

import pytest

from sluice.config.settings import read
from sluice.tasks.envelope import Message
from sluice.tasks.errors import Revoked
from sluice.worker.engine.capacity import Capacity
from sluice.worker.engine.engine import Engine
from sluice.worker.engine.mail import (
    Answer,
    Check,
    Dropped,
    Ended,
    EngineNote,
    InFlightEnvelope,
    NotStored,
    Outcome,
    Started,
)
from sluice.worker.model.calibrate import Cost
from sluice.worker.model.simulated import SimulatedClassifier

WAIT_S = 10.0


class Cache:
    """Knows every text of the words that it is given."""

    def __init__(self, known: dict[int, list[float]]) -> None:
        self.known = known
        self.closed = False

    def look_up(self, texts: Sequence[list[int]]) -> tuple[list[bytes], list[list[float] | None]]:
        return [str(len(ids)).encode() for ids in texts], [self.known.get(len(ids)) for ids in texts]

    def close(self) -> None:
        self.closed = True


class Rig:
    def __init__(self, cache: Cache | None = None) -> None:
        self.before = threading.active_count()
        self.notes: SimpleQueue[EngineNote] = SimpleQueue()
        self.revoked: set[str] = set()
        self.deaths: list[str] = []
        self.classifier = SimulatedClassifier()
        self.classifier.warm_up(4)
        settings = read(max_batch_size=4)
        capacity = Capacity(settings, self.classifier, Cost(0.001, 0.0001), 1, 0, 4, 0.01)
        self.engine = Engine(capacity, self._revoked, self.notes.put, self.deaths.append, cache)
        self.engine.start()

    def _revoked(self, envelope: InFlightEnvelope) -> Revoked | None:
        return Revoked("revoked") if envelope.id in self.revoked else None

    def submit(self, name: str, *texts: str, redelivered: bool = False) -> InFlightEnvelope:
        envelope = InFlightEnvelope(
            name,
            [Message(text) for text in texts],
            single=False,
            bulk=False,
            arrived=time.monotonic(),
            generation=0,
            redelivered=redelivered,
        )
        self.engine.submit(envelope)
        return envelope

    def next(self, kind: type[EngineNote]) -> EngineNote:
        """The next note of a kind; others are passed over."""
        while not isinstance(note := self.notes.get(timeout=WAIT_S), kind):
            pass
        return note


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.engine.abort(WAIT_S)
    assert threading.active_count() == made.before
    assert not made.deaths


def test_what_is_submitted_is_answered_as_the_model_does(rig: Rig) -> None:
    texts = [f"text {number} of some" for number in range(10)]
    envelope = rig.submit("a", *texts)
    answers: dict[int, Answer] = {}
    while len(answers) < len(texts):
        note = rig.next(Outcome)
        assert isinstance(note, Outcome)
        answers.update({refs[0][1]: answer for refs, answer in zip(note.refs, note.answers, strict=True)})
        assert {ref[0] for refs in note.refs for ref in refs} == {envelope}
    rows = rig.classifier.forward(rig.classifier.encode(texts))
    assert [answers[index] for index in range(len(texts))] == rows


def test_a_note_from_elsewhere_reaches_the_scheduler(rig: Rig) -> None:
    envelope = rig.submit("again", "text", redelivered=True)
    assert rig.next(Check) == Check(envelope)
    rig.engine.tell(NotStored([envelope]))
    assert rig.next(Started) == Started([envelope])


def test_a_revoked_envelope_is_dropped(rig: Rig) -> None:
    rig.revoked.add("gone")
    envelope = rig.submit("gone", "text")
    dropped = rig.next(Dropped)
    assert isinstance(dropped, Dropped)
    assert dropped.envelope is envelope


@pytest.mark.parametrize("end", [lambda engine: engine.drain(WAIT_S), lambda engine: engine.abort(WAIT_S)])
def test_the_end_reaches_every_thread_and_is_the_last_that_comes_out(end: Callable[[Engine], object]) -> None:
    cache = Cache({})
    rig = Rig(cache)
    rig.submit("a", *map(str, range(30)))
    rig.next(Started)
    end(rig.engine)
    for _ in range(100):
        if threading.active_count() == rig.before:
            break
        time.sleep(0.02)
    assert threading.active_count() == rig.before
    assert cache.closed
    notes = []
    with pytest.raises(Empty):
        while True:
            notes.append(rig.notes.get_nowait())
    assert notes[-1] == Ended()
    assert notes.count(Ended()) == 1
    assert rig.engine.drain(0.0), "it has ended already"


def test_a_drained_engine_has_answered_what_was_begun(rig: Rig) -> None:
    rig.submit("a", *(f"text {number}" for number in range(20)))
    rig.next(Started)
    assert rig.engine.drain(WAIT_S)
    assert rig.engine.buffered == 0
    answered = 0
    while not isinstance(note := rig.notes.get(timeout=WAIT_S), Ended):
        answered += sum(map(len, note.refs)) if isinstance(note, Outcome) else 0
    assert answered == 20


def test_what_the_cache_knows_is_not_computed() -> None:
    rig = Rig(cache := Cache({}))
    ids = rig.classifier.encode(["known by heart"])[0]
    cache.known[len(ids)] = [0.1, 0.2, 0.7]
    rig.submit("a", "known by heart")
    note = rig.next(Outcome)
    assert isinstance(note, Outcome)
    assert (note.origin, note.answers) == ("cache", [[0.1, 0.2, 0.7]])
    rig.engine.abort(WAIT_S)
