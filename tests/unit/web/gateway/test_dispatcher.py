"""What arrives while an envelope is published travels together in the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from sluice.tasks.errors import BrokerUnavailable
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.web.gateway.dispatch_policy import DispatchPolicy
from sluice.web.gateway.dispatcher import Dispatcher
from sluice.web.gateway.waiting import Registry, Waiter


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
        messages: Sequence[str | dict[str, str | None]],
        *,
        lane: str = "interactive",
        envelope_id: str | None = None,
        reply_to: str | None = None,
        more: int = 0,
        group_id: str | None = None,
        group_index: int | None = None,
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


class TestDispatcher:
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

    def test_envelopes_follow_the_policy_of_the_moment(self, publisher: SlowPublisher, registry: Registry) -> None:
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
