"""Waiters and the registry: no wake is lost, nothing is kept."""

from __future__ import annotations

import threading
import time
from collections import deque
from itertools import repeat

from sluice.tasks.wire.entry import Prediction, prediction, prediction_of
from sluice.web.gateway.waiting import JobCollector, Registry, SharedEnvelope, Waiter


def labelled(label: str) -> Prediction:
    return prediction(None, label, 1.0, "m", "1")


ENTRY = labelled("ham")


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


def test_publishing_is_awaited_without_an_answer() -> None:
    waiter = Waiter("text", "token")
    threading.Timer(0.05, waiter.mark_published).start()
    assert waiter.wait_published(5)
    assert not waiter.settled


def test_publishing_in_vain_ends() -> None:
    assert not Waiter("text", "token").wait_published(0.05)


def test_many_races_between_answer_and_wait_lose_nothing() -> None:
    waiters = [Waiter("text", str(index)) for index in range(2_000)]
    answering = threading.Thread(target=lambda: deque(map(Waiter.answer, waiters, repeat(ENTRY))))
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
    registry.deliver("b", [(0, labelled("third"))])
    registry.deliver("a", [(1, labelled("second"))])
    registry.deliver("a", [(1, labelled("again"))])
    assert collector.wait(0) is None
    registry.deliver("a", [(0, labelled("first"))])
    found = collector.wait(0)
    assert found is not None
    assert [prediction_of(entry)["label"] for entry in found] == ["first", "second", "third"]
    assert len(registry) == 0
