"""One pending call for any number of notes, and a new one after the hub has lost it."""

from __future__ import annotations

from collections.abc import Callable

from sluice.worker.consumer.waker import Waker


class Hub:
    def __init__(self) -> None:
        self.on_tick: set[Callable[[], object]] = set()
        self.ready: list[Callable[[], object]] = []

    def call_soon(self, action: Callable[[], object]) -> None:
        self.ready.append(action)


def test_many_notes_are_one_call_until_it_runs() -> None:
    hub, taken = Hub(), []
    waker = Waker(hub, lambda: taken.append(1))
    for _ in range(5):
        waker.wake()
    assert len(hub.ready) == 1
    hub.ready.pop()()
    assert taken == [1]
    waker.wake()
    assert len(hub.ready) == 1


def test_a_call_that_the_hub_lost_is_made_again() -> None:
    hub = Hub()
    waker = Waker(hub, lambda: None)
    waker.wake()
    hub.ready.clear()
    waker.wake()
    assert not hub.ready
    waker.again()
    assert len(hub.ready) == 1
