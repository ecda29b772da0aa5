"""The sender's window, without a broker: order, lost replies, an absent broker, lost envelopes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest

from backfill import stop as stop_module
from backfill.stop import Stop
from cli.backfill import sender as module
from cli.backfill.row import Row
from cli.backfill.sender import Sender
from tasks.envelope import Entry, failed, labelled
from tasks.errors import BackendUnavailable, BrokerUnavailable
from tasks.results import Stored


class FakeClient:
    """Stands in for ``tasks.client.Client``: what was published, and what the test lets come back."""

    def __init__(self) -> None:
        self.published: list[tuple[str, list[str]]] = []
        self.coming: deque[list[tuple[str, list[tuple[int, Entry]]]]] = deque()
        self.stored: dict[str, Stored] = {}
        self.broker_errors = 0
        self.backend_error = False
        self.alive = True
        self.queued = 0
        self.forgotten: list[str] = []
        self.revoked: list[str] = []

    def publish(self, texts: Sequence[str], *, lane: str, envelope_id: str) -> None:
        if self.broker_errors:
            self.broker_errors -= 1
            raise BrokerUnavailable("the broker cannot be reached (ConnectionError)")
        self.published.append((envelope_id, list(texts)))

    def replies(self, timeout_s: float) -> list[tuple[str, list[tuple[int, Entry]]]]:
        return self.coming.popleft() if self.coming else []

    def fetch(self, envelope_ids: Sequence[str]) -> list[Stored]:
        if self.backend_error:
            raise BackendUnavailable("the result backend cannot be reached (ConnectionError)")
        return [self.stored.get(one, Stored("PENDING")) for one in envelope_ids]

    def workers(self) -> list[dict[str, Any]]:
        return [{}] if self.alive else []

    def waiting(self, lane: str) -> int:
        if self.queued < 0:
            raise BrokerUnavailable("the broker cannot be reached (ConnectionError)")
        return self.queued

    def forget(self, envelope_ids: Sequence[str]) -> None:
        self.forgotten += envelope_ids

    def revoke(self, envelope_ids: Sequence[str]) -> None:
        self.revoked += envelope_ids

    def answer(self, number: int, *indices: int) -> None:
        """Let the answers to some messages of the ``number``-th envelope come back."""
        identity, texts = self.published[number]
        chosen = indices or range(len(texts))
        self.coming.append([(identity, [(i, label(texts[i])) for i in chosen])])


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
def sender(client: FakeClient, clock: Clock, notes: list[str]) -> Sender:
    return Sender(client, "bulk", 3, notes.append, Stop())  # type: ignore[arg-type]


def label(text: str) -> Entry:
    return labelled(None, "ham", 0.9, text, "1")


def rows(*texts: str) -> list[Row]:
    return [Row([text], text, 0) for text in texts]


def answers(done: Sequence[Row]) -> list[str]:
    return [row.entry["model"] if row.entry and "model" in row.entry else "error" for row in done]


def test_rows_come_back_in_input_order(sender: Sender, client: FakeClient) -> None:
    for text in ("ab", "cd", "ef"):
        sender.send(rows(*text))
    assert sender.full
    for number in (2, 1):
        client.answer(number)
        sender.wait()
        assert sender.take() == []
    client.answer(0, 1, 0)
    sender.wait()
    assert answers(sender.take()) == list("abcdef")
    assert not sender.full
    assert not sender.outstanding


def test_an_envelope_is_complete_only_with_all_its_answers(sender: Sender, client: FakeClient) -> None:
    sender.send(rows("a", "b", "c"))
    client.answer(0, 2)
    sender.wait()
    client.answer(0, 2)  # delivered twice, as after a crash
    sender.wait()
    assert sender.take() == []
    client.answer(0, 0, 1)
    sender.wait()
    assert answers(sender.take()) == ["a", "b", "c"]


def test_the_first_answer_counts(sender: Sender, client: FakeClient) -> None:
    sender.send(rows("a"))
    client.answer(0)
    client.coming.append([(client.published[0][0], [(0, failed(None, "model_failed", "second"))])])
    sender.wait()
    assert answers(sender.take()) == ["a"]
    sender.wait()
    assert sender.take() == []


def test_rows_that_were_refused_are_not_sent_and_keep_their_place(sender: Sender, client: FakeClient) -> None:
    mixed = rows("a", "", "c")
    mixed[1].refuse("the text is empty or blank")
    sender.send(mixed)
    assert client.published[0][1] == ["a", "c"]
    client.answer(0)
    sender.wait()
    assert answers(sender.take()) == ["a", "error", "c"]


def test_an_envelope_of_refused_rows_is_done_at_once(sender: Sender, client: FakeClient) -> None:
    blank = rows("", "")
    for row in blank:
        row.refuse("the text is empty or blank")
    sender.send(blank)
    assert not client.published
    assert sender.take() == blank


def test_a_lost_reply_is_looked_up(sender: Sender, client: FakeClient, clock: Clock) -> None:
    sender.send(rows("a", "b"))
    client.stored[client.published[0][0]] = Stored("SUCCESS", [label("a"), label("b")])
    sender.wait()
    assert sender.take() == []
    clock.now += module.ASK_AFTER_S + 1
    sender.wait()
    assert answers(sender.take()) == ["a", "b"]


def test_a_failed_envelope_gives_each_row_its_error(sender: Sender, client: FakeClient, clock: Clock) -> None:
    sender.send(rows("a", "b"))
    client.stored[client.published[0][0]] = Stored("FAILURE", {"exc_message": "given up"})
    clock.now += module.ASK_AFTER_S + 1
    sender.wait()
    done = sender.take()
    assert [row.entry["error"]["message"] for row in done if row.entry] == ["given up", "given up"]


def test_a_broker_that_was_never_there_is_an_error(sender: Sender, client: FakeClient) -> None:
    client.broker_errors = 1
    with pytest.raises(BrokerUnavailable):
        sender.send(rows("a"))


def test_a_broker_that_goes_away_is_waited_for(
    sender: Sender, client: FakeClient, clock: Clock, notes: list[str]
) -> None:
    sender.send(rows("a"))
    client.broker_errors = 6
    began = clock.now
    sender.send(rows("b"))
    assert [texts for _, texts in client.published] == [["a"], ["b"]]
    assert clock.now - began == pytest.approx(0.5 + 1 + 2 + 5 + 5 + 5)
    assert "waiting for it" in notes[0]


def test_an_absent_backend_is_waited_for(sender: Sender, client: FakeClient, clock: Clock, notes: list[str]) -> None:
    sender.send(rows("a"))
    client.backend_error = True
    clock.now += module.ASK_AFTER_S + 1
    sender.wait()
    assert "waiting for it" in notes[0]
    client.backend_error = False
    client.answer(0)
    sender.wait()
    assert answers(sender.take()) == ["a"]


def test_the_operator_hears_that_no_worker_is_there(
    sender: Sender, client: FakeClient, clock: Clock, notes: list[str]
) -> None:
    sender.send(rows("a"))
    client.alive = False
    clock.now += module.STALLED_AFTER_S + 1
    sender.wait()
    assert "sluice worker" in notes[0]
    assert len(client.published) == 1


def test_what_the_broker_forgot_is_sent_again_under_the_same_id(
    sender: Sender, client: FakeClient, clock: Clock
) -> None:
    sender.send(rows("a"))
    sender.send(rows("b"))
    clock.now += module.STALLED_AFTER_S + 1
    sender.wait()
    assert [identity for identity, _ in client.published] == 2 * [one for one, _ in client.published[:2]]
    clock.now += module.ASK_AFTER_S + 1
    sender.wait()
    assert len(client.published) == 4  # not again before another long silence


@pytest.mark.parametrize("queued", [7, -1])
def test_what_is_still_queued_is_not_sent_again(sender: Sender, client: FakeClient, clock: Clock, queued: int) -> None:
    sender.send(rows("a"))
    client.queued = queued
    clock.now += module.STALLED_AFTER_S + 1
    sender.wait()
    assert len(client.published) == 1


def test_giving_up_revokes_what_is_outstanding(sender: Sender, client: FakeClient) -> None:
    sender.send(rows("a"))
    sender.send(rows("b"))
    client.answer(0)
    sender.wait()
    sender.give_up()
    assert client.revoked == [client.published[1][0]]


def test_results_are_deleted_once_taken(sender: Sender, client: FakeClient) -> None:
    for text in ("ab", "cd"):
        sender.send(rows(*text))
    client.answer(1)
    sender.wait()
    sender.take()
    assert client.forgotten == []
    client.answer(0)
    sender.wait()
    sender.take()
    assert client.forgotten == [identity for identity, _ in client.published]
