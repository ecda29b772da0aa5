"""The way over the broker, without one: lost replies, an absent broker, lost envelopes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pytest

from sluice.backfill.clients import queue as module
from sluice.backfill.clients.base import Demand, IndexedEntries
from sluice.backfill.clients.queue import QueueClient, demand_of
from sluice.backfill.run import stop as stop_module
from sluice.backfill.run.stop import Stop, Stopped
from sluice.config.settings import read
from sluice.tasks.envelope import ENVELOPE_MESSAGES
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable
from sluice.tasks.prediction_options import PredictionOptions
from sluice.tasks.results import StoredResult
from sluice.tasks.wire.entry import Entry, fault_of, prediction
from sluice.tasks.wire.status import WorkerStatus


def status(version: str, messages: int, seconds: float, buffered: int = 0) -> WorkerStatus:
    status = {
        "labels": ["ham"],
        "model": {"name": "m", "version": version},
        "full_batch": {"messages": messages, "seconds": seconds},
        "queue": {"buffered": buffered},
    }
    return WorkerStatus.from_json(status)


FAST, SLOW = status("1", 64, 0.004), status("2", 16, 0.5)


class FakeClient:
    """Stands in for ``sluice.tasks.client.Client``: what was published, and what the test lets come back."""

    def __init__(self) -> None:
        self.published: list[tuple[str, list[str]]] = []
        self.coming: deque[list[tuple[str, IndexedEntries]]] = deque()
        self.stored: dict[str, StoredResult] = {}
        self.broker_errors = 0
        self.backend_error = False
        self.serving: list[WorkerStatus] = [FAST]
        self.queued = 0
        self.forgotten: list[str] = []
        self.revoked: list[str] = []

    def publish(self, texts: Sequence[str], *, lane: str, envelope_id: str, options: PredictionOptions) -> None:
        if self.broker_errors:
            self.broker_errors -= 1
            raise BrokerUnavailable("the broker cannot be reached (ConnectionError)")
        self.published.append((envelope_id, list(texts)))

    def replies(self, timeout_s: float) -> list[tuple[str, IndexedEntries]]:
        return self.coming.popleft() if self.coming else []

    def fetch(self, envelope_ids: Sequence[str]) -> list[StoredResult]:
        if self.backend_error:
            raise BackendUnavailable("the result backend cannot be reached (ConnectionError)")
        return [self.stored.get(one, StoredResult("PENDING")) for one in envelope_ids]

    def workers(self) -> list[WorkerStatus]:
        if self.backend_error:
            raise BackendUnavailable("the result backend cannot be reached (ConnectionError)")
        return self.serving

    def waiting(self, lane: str) -> int:
        if self.queued < 0:
            raise BrokerUnavailable("the broker cannot be reached (ConnectionError)")
        return self.queued

    def forget(self, envelope_ids: Sequence[str]) -> None:
        self.forgotten += envelope_ids

    def revoke(self, envelope_ids: Sequence[str]) -> None:
        self.revoked += envelope_ids


class Clock:
    """Time that moves only when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(module, "time", one)
    monkeypatch.setattr(stop_module, "time", one)
    return one


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def classifier(client: FakeClient, clock: Clock, notes: list[str], stop: Stop) -> QueueClient:
    settings = read(_env_file=None)
    return QueueClient(settings, note=notes.append, stop=stop, client=client)  # type: ignore[arg-type]


def label(text: str) -> Entry:
    return prediction(None, "ham", 0.9, text, "1")


def overdue(clock: Clock, times: int = 1) -> None:
    clock.now += module.OVERDUE_S * 2.0 ** (times - 1) + module.ASK_EVERY_S + 0.1


def test_replies_are_handed_on(classifier: QueueClient, client: FakeClient) -> None:
    classifier.send("e1", ["a"])
    assert client.published == [("e1", ["a"])]
    client.coming.append([("e1", [(0, label("a"))])])
    assert classifier.receive(0.1) == [("e1", [(0, label("a"))])]
    classifier.done(["e1"])
    assert client.forgotten == ["e1"]


def test_a_lost_reply_is_looked_up(classifier: QueueClient, client: FakeClient, clock: Clock) -> None:
    classifier.send("e1", ["a", "b"])
    client.stored["e1"] = StoredResult("SUCCESS", [label("a"), label("b")])
    assert classifier.receive(0.1) == []
    overdue(clock)
    assert classifier.receive(0.1) == [("e1", [(0, label("a")), (1, label("b"))])]
    assert len(client.published) == 1


def test_a_failed_envelope_gives_each_text_its_error(classifier: QueueClient, client: FakeClient, clock: Clock) -> None:
    classifier.send("e1", ["a", "b"])
    client.stored["e1"] = StoredResult("FAILURE", {"exc_message": "given up"})
    overdue(clock)
    ((_, answers),) = classifier.receive(0.1)
    assert [fault_of(entry)["message"] for _, entry in answers] == ["given up", "given up"]


def test_a_broker_that_was_never_there_is_an_error(classifier: QueueClient, client: FakeClient) -> None:
    client.broker_errors = 1
    with pytest.raises(BrokerUnavailable):
        classifier.send("e1", ["a"])


def test_a_broker_that_goes_away_is_waited_for(
    classifier: QueueClient, client: FakeClient, clock: Clock, notes: list[str]
) -> None:
    classifier.send("e1", ["a"])
    client.broker_errors = 6
    began = clock.now
    classifier.send("e2", ["b"])
    assert [texts for _, texts in client.published] == [["a"], ["b"]]
    assert clock.now - began == pytest.approx(0.5 + 1 + 2 + 5 + 5 + 5)
    assert "waiting for it" in notes[0]


def test_an_absent_backend_is_waited_for(
    classifier: QueueClient, client: FakeClient, clock: Clock, notes: list[str]
) -> None:
    classifier.send("e1", ["a"])
    client.backend_error = True
    overdue(clock)
    assert classifier.receive(0.1) == []
    assert "waiting for it" in notes[0]


def test_the_operator_hears_that_no_worker_is_there(
    classifier: QueueClient, client: FakeClient, clock: Clock, notes: list[str]
) -> None:
    classifier.send("e1", ["a"])
    client.serving = []
    overdue(clock)
    classifier.receive(0.1)
    assert "sluice worker" in notes[0]
    assert len(client.published) == 1


def test_what_nobody_holds_is_sent_again_under_its_id(
    classifier: QueueClient, client: FakeClient, clock: Clock
) -> None:
    classifier.send("e1", ["a"])
    classifier.send("e2", ["b"])
    overdue(clock)
    classifier.receive(0.1)
    assert client.published == 2 * [("e1", ["a"]), ("e2", ["b"])]
    overdue(clock)
    classifier.receive(0.1)
    assert len(client.published) == 4  # each time after twice the time
    overdue(clock, 2)
    classifier.receive(0.1)
    assert len(client.published) == 6


@pytest.mark.parametrize("queued", [7, -1])
def test_what_may_be_queued_is_not_sent_again(
    classifier: QueueClient, client: FakeClient, clock: Clock, queued: int
) -> None:
    classifier.send("e1", ["a"])
    client.queued = queued
    overdue(clock)
    classifier.receive(0.1)
    assert len(client.published) == 1


def test_the_operator_hears_that_nobody_takes_what_is_queued(
    classifier: QueueClient, client: FakeClient, clock: Clock, notes: list[str]
) -> None:
    client.queued = 2
    classifier.send("e1", ["a"])
    overdue(clock)
    client.coming.append([("another one", [])])
    classifier.receive(0.1)
    assert notes == []  # it only takes long
    overdue(clock)
    classifier.receive(0.1)
    assert "take nothing from the bulk lane" in notes[0]


def test_what_later_envelopes_have_overtaken_is_sent_again(
    classifier: QueueClient, client: FakeClient, clock: Clock
) -> None:
    for number in (1, 2, 3):
        classifier.send(f"e{number}", [str(number)])
    client.queued = 7
    client.coming.append([("e2", [(0, label("2"))])])
    classifier.receive(0.1)
    classifier.done(["e2"])
    overdue(clock)
    classifier.receive(0.1)
    assert [identity for identity, _ in client.published] == ["e1", "e2", "e3", "e1"]


def test_slow_workers_are_given_their_time(classifier: QueueClient, client: FakeClient, clock: Clock) -> None:
    classifier.send("e1", ["a"])
    client.serving = [status("1", 64, 30, buffered=1)]
    clock.now += 100
    assert classifier.receive(0.1) == []
    client.serving = [FAST]
    client.coming.append([("e1", [(0, label("a"))])])
    classifier.receive(0.1)
    classifier.done(["e1"])
    classifier.send("e2", ["b"])
    clock.now += module.OVERDUE_TIMES * 100 - 1
    classifier.receive(0.1)
    assert len(client.published) == 2
    clock.now += 2
    classifier.receive(0.1)
    assert len(client.published) == 3


def test_what_is_lost_after_a_long_absence_is_missed_within_bounds(
    classifier: QueueClient, client: FakeClient, clock: Clock
) -> None:
    classifier.send("slow", ["a"])
    clock.now += 24 * 3600
    classifier.done(["slow"])
    classifier.send("lost", ["b"])
    clock.now += module.MAX_OVERDUE_S + module.ASK_EVERY_S
    classifier.receive(0.1)
    assert [one for one, _ in client.published] == ["slow", "lost", "lost"]


def test_giving_up_revokes_and_forgets(classifier: QueueClient, client: FakeClient, clock: Clock) -> None:
    classifier.send("e1", ["a"])
    classifier.abandon(["e1", "of an earlier run"])
    assert client.revoked == ["e1", "of an earlier run"]
    overdue(clock)
    classifier.receive(0.1)
    assert len(client.published) == 1


def test_who_does_not_wait_for_answers_does_not_wait_for_the_backend(
    classifier: QueueClient, client: FakeClient, clock: Clock, notes: list[str]
) -> None:
    classifier.send("e", ["a"])
    clock.now += module.OVERDUE_S + module.ASK_EVERY_S
    client.backend_error = True
    assert classifier.receive(0) == []
    assert not notes
    assert classifier.receive(0.1) == []
    assert len(notes) == 1


def test_a_stop_ends_every_wait(classifier: QueueClient, client: FakeClient, stop: Stop) -> None:
    client.serving = []
    stop._status = 130
    with pytest.raises(Stopped):
        classifier.labels()
    stop._status = 130
    with pytest.raises(Stopped):
        classifier.receive(0.1)


def test_one_version_serves_or_none_is_named(classifier: QueueClient, client: FakeClient, clock: Clock) -> None:
    assert classifier.version() == ("m", "1")
    client.serving = [FAST, SLOW]
    assert classifier.version() is None


@pytest.mark.parametrize(
    ("workers", "demand"),
    [
        ([], Demand(ENVELOPE_MESSAGES, 2 * ENVELOPE_MESSAGES)),
        ([SLOW], Demand(16, 4 * 16 + 16)),
        ([FAST], Demand(256, 4_800 + 256)),
        ([SLOW, SLOW], Demand(16, 2 * 4 * 16 + 16)),
    ],
)
def test_the_shape_keeps_every_worker_busy(workers: list[WorkerStatus], demand: Demand) -> None:
    assert demand_of(workers) == demand
