"""Waiters and the registry: no wake is lost, nothing is kept."""

from __future__ import annotations

import threading
import time

import pytest

from sluice.tasks.errors import BrokerUnavailable
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.wire.entry import Entry
from sluice.web.gateway.dispatch_policy import DispatchPolicy
from sluice.web.gateway.dispatcher import Dispatcher
from sluice.web.gateway.overload_guard import OverloadGuard
from sluice.web.gateway.waiting import JobCollector, Registry, SharedEnvelope, Waiter

ENTRY: Entry = {"label": "ham"}


def test_an_answer_before_the_wait_is_not_lost() -> None:
    waiter = Waiter("text", "token")
    waiter.answer(ENTRY)
    assert waiter.wait(0)
    assert waiter.entry == ENTRY


def test_an_answer_during_the_wait_wakes() -> None:
    waiter = Waiter("text", "token")
    threading.Timer(0.05, waiter.answer, [ENTRY]).start()
    started = time.monotonic()
    assert waiter.wait(60)
    assert time.monotonic() - started < 30


def test_waking_twice_does_no_harm() -> None:
    waiter = Waiter("text", "token")
    waiter.wake()
    waiter.wake()
    assert not waiter.wait(0.05)


def test_when_threads_run_out_those_who_waited_long_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.web.gateway.overload_guard.SATURATED_WAIT_S", 0.05)
    overload_guard = OverloadGuard(4)
    waiters = [Waiter("text", str(index)) for index in range(3)]
    for waiter in waiters[:2]:
        overload_guard.begin(waiter)
    time.sleep(0.1)
    overload_guard.relieve()
    assert not any(waiter.released for waiter in waiters)
    overload_guard.begin(waiters[2])
    overload_guard.relieve()
    assert [waiter.released for waiter in waiters] == [True, True, False]
    started = time.monotonic()
    assert not waiters[0].wait(60)
    assert time.monotonic() - started < 30
    overload_guard.stop()
    assert waiters[2].released
    late = Waiter("text", "late")
    overload_guard.begin(late)
    assert late.released


def test_publishing_is_awaited_without_an_answer() -> None:
    waiter = Waiter("text", "token")
    threading.Timer(0.05, waiter.mark_published).start()
    assert waiter.wait_published(5)
    assert not waiter.settled


def test_publishing_in_vain_ends() -> None:
    assert not Waiter("text", "token").wait_published(0.05)


def test_many_races_between_answer_and_wait_lose_nothing() -> None:
    waiters = [Waiter("text", str(index)) for index in range(2_000)]
    answering = threading.Thread(target=lambda: [waiter.answer(ENTRY) for waiter in waiters])
    answering.start()
    assert all(waiter.wait(5) for waiter in waiters)
    answering.join()


def test_the_last_one_out_closes_the_envelope() -> None:
    registry = Registry()
    waiters = [Waiter("text", str(index)) for index in range(3)]
    for index, waiter in enumerate(waiters):
        waiter.envelope_id, waiter.index = "e", index
    registry.expect("e", SharedEnvelope(waiters))
    registry.abandon(waiters[1])
    registry.deliver("e", [(0, ENTRY), (1, ENTRY)])
    assert waiters[0].settled
    assert not waiters[1].settled
    assert len(registry) == 1
    registry.abandon(waiters[2])
    assert len(registry) == 0
    registry.deliver("e", [(2, ENTRY)])
    registry.deliver("unknown", [(0, ENTRY)])


def test_a_job_is_complete_when_every_part_of_every_envelope_came() -> None:
    collector, registry = JobCollector([("a", 2), ("b", 1)]), Registry()
    registry.expect("a", collector)
    registry.expect("b", collector)
    registry.deliver("b", [(0, {"label": "third"})])
    registry.deliver("a", [(1, {"label": "second"})])
    registry.deliver("a", [(1, {"label": "again"})])
    assert collector.wait(0) is None
    registry.deliver("a", [(0, {"label": "first"})])
    found = collector.wait(0)
    assert found is not None
    assert [entry["label"] for entry in found] == ["first", "second", "third"]
    assert len(registry) == 0


class SlowPublisher:
    """Publishes when told to."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.sent: list[tuple[int, int]] = []
        self.options: list[PredictionOptions] = []
        self.error: Exception | None = None
        self.closed = False

    def publish(
        self,
        messages: list[str | dict[str, str | None]],
        *,
        envelope_id: str | None = None,
        reply_to: str | None = None,
        more: int = 0,
        options: PredictionOptions = LABEL_ONLY,
        counted: bool = False,
    ) -> str:
        self.gate.acquire(timeout=5)
        if self.error is not None:
            raise self.error
        self.sent.append((len(messages), more))
        self.options.append(options)
        return envelope_id or ""

    def close(self) -> None:
        self.closed = True


class TestGroupCommit:
    @pytest.fixture
    def publisher(self) -> SlowPublisher:
        return SlowPublisher()

    @pytest.fixture
    def registry(self) -> Registry:
        return Registry()

    @pytest.fixture
    def dispatcher(self, publisher: SlowPublisher, registry: Registry) -> Dispatcher:
        dispatcher = Dispatcher(publisher, registry, "address", lambda count: None)
        dispatcher.start()
        return dispatcher

    def add(self, dispatcher: Dispatcher, count: int) -> list[Waiter]:
        waiters = [Waiter("text", str(index)) for index in range(count)]
        for waiter in waiters:
            dispatcher.add(waiter)
        return waiters

    def test_what_arrives_during_a_publish_travels_together(
        self, dispatcher: Dispatcher, publisher: SlowPublisher
    ) -> None:
        first = self.add(dispatcher, 1)
        while dispatcher.held():
            time.sleep(0.001)
        rest = self.add(dispatcher, 300)
        for _ in range(3):
            publisher.gate.release()
        assert all(waiter.wait_published(5) for waiter in first + rest)
        dispatcher.stop()
        assert publisher.sent == [(1, 0), (256, 44), (44, 0)]
        assert publisher.closed

    def test_any_error_reaches_every_caller_of_the_envelope(
        self, dispatcher: Dispatcher, publisher: SlowPublisher, registry: Registry
    ) -> None:
        publisher.error = RuntimeError("of any kind")
        publisher.gate.release()
        (waiter,) = self.add(dispatcher, 1)
        assert waiter.wait(5)
        assert isinstance(waiter.error, BrokerUnavailable)
        assert len(registry) == 0
        publisher.error = None
        publisher.gate.release()
        assert self.add(dispatcher, 1)[0].wait_published(5)
        dispatcher.stop()

    def test_a_message_can_be_taken_back_until_it_is_being_published(
        self, dispatcher: Dispatcher, publisher: SlowPublisher
    ) -> None:
        (first,) = self.add(dispatcher, 1)
        while dispatcher.held():
            time.sleep(0.001)
        (second,) = self.add(dispatcher, 1)
        assert not dispatcher.withdraw(first)
        assert dispatcher.withdraw(second)
        publisher.gate.release()
        dispatcher.stop()
        assert publisher.sent == [(1, 0)]

    def test_stopping_publishes_what_is_pending_and_takes_no_more(
        self, dispatcher: Dispatcher, publisher: SlowPublisher
    ) -> None:
        self.add(dispatcher, 1)
        while dispatcher.held():
            time.sleep(0.001)
        self.add(dispatcher, 2)
        publisher.gate.release()
        publisher.gate.release()
        dispatcher.stop()
        assert publisher.sent == [(1, 0), (2, 0)]
        with pytest.raises(BrokerUnavailable):
            dispatcher.add(Waiter("text", "late"))

    def test_envelopes_have_the_shape_of_the_moment(self, publisher: SlowPublisher, registry: Registry) -> None:
        dispatcher = Dispatcher(publisher, registry, "address", lambda count: None, lambda: DispatchPolicy(messages=5))
        waiters = self.add(dispatcher, 12)
        dispatcher.start()
        for _ in range(3):
            publisher.gate.release()
        assert all(waiter.wait_published(5) for waiter in waiters)
        dispatcher.stop()
        assert publisher.sent == [(5, 7), (5, 2), (2, 0)]

    def test_a_linger_lets_the_first_message_wait_for_the_second(
        self, publisher: SlowPublisher, registry: Registry
    ) -> None:
        publisher.gate.release()
        dispatcher = Dispatcher(
            publisher, registry, "address", lambda count: None, lambda: DispatchPolicy(2, linger_s=1)
        )
        dispatcher.start()
        first = self.add(dispatcher, 1)
        time.sleep(0.05)
        second = self.add(dispatcher, 1)
        assert all(waiter.wait_published(5) for waiter in first + second)
        dispatcher.stop()
        assert publisher.sent == [(2, 0)]
