"""Room for what waits for its time: a wider window, or a new consumer, and never within a delivery."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import MagicMock, call

import pytest
from kombu.common import QoS

from sluice.worker.consumer.postponed import NewWindow, WiderWindow


def test_a_window_is_wider_by_what_waits() -> None:
    asked: list[int] = []
    qos = QoS(lambda prefetch_count: asked.append(prefetch_count), 8)
    room = WiderWindow(qos, qos.update)
    for _ in range(3):
        room.more()
    assert qos.value == 11
    for _ in range(3):
        room.less()
    assert asked == [9, 10, 11, 10, 9, 8]


def test_celerys_own_window_is_left_to_its_loop() -> None:
    qos = QoS(pytest.fail, 8)
    WiderWindow(qos).more()
    assert qos.value == 9


def test_a_new_consumer_comes_when_half_of_the_window_waits_and_not_within_a_delivery() -> None:
    consumer, soon = MagicMock(queues=["one"]), list[Callable[[], None]]()
    room = NewWindow(lambda: consumer, 8, soon.append)
    for _ in range(3):
        room.more()
    assert not soon
    for _ in range(4):
        room.more()  # the fourth asks, and what comes before it is done asks for no more
    assert len(soon) == 1
    consumer.cancel.assert_not_called()
    soon.pop()()
    assert consumer.method_calls == [call.cancel(), call.consume()]
    for _ in range(4):
        room.more()
    assert len(soon) == 1


@pytest.mark.parametrize("consumer", [None, MagicMock(queues=[])])
def test_a_lane_that_is_left_is_not_taken_up_again(consumer: MagicMock | None) -> None:
    room = NewWindow(lambda: consumer, 2, lambda action: action())
    room.more()
    if consumer is not None:
        consumer.consume.assert_not_called()
