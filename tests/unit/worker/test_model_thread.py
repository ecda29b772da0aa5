"""The model thread: a failing message is separated from its batch."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.errors import ModelFailed
from worker.message import Item, ModelFree, Outcome
from worker.threads.model import ModelThread

BAD, FATAL = 13, 99


class Classifier:
    """Probabilities that name the message; fails on batches with ``BAD`` or over ``most`` messages."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.sizes: list[int] = []

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        self.sizes.append(len(batch))
        if len(batch) > self.most:
            raise MemoryError("too many")
        if any(ids[0] == FATAL for ids in batch):
            raise ConnectionError("device lost")
        if any(ids[0] == BAD for ids in batch):
            raise RuntimeError("bad message")
        return [[float("nan") if ids[0] == 7 else ids[0] / 100] for ids in batch]

    def is_out_of_memory(self, exc: BaseException) -> bool:
        return isinstance(exc, MemoryError)

    def is_fatal(self, exc: BaseException) -> bool:
        return isinstance(exc, ConnectionError)


def run(numbers: list[int], classifier: Classifier) -> tuple[list[Any], list[Any], list[str]]:
    """One batch of messages ``[number]`` through the thread; returns results, notes to the batcher, deaths."""
    free: SimpleQueue[Any] = SimpleQueue()
    out: SimpleQueue[Any] = SimpleQueue()
    deaths: list[str] = []
    thread = ModelThread(classifier, to_batcher=free.put, to_deliver=out.put, on_death=deaths.append)  # type: ignore[arg-type]
    envelope = SimpleNamespace()
    thread.inbox.put([Item(envelope, i, [number]) for i, number in enumerate(numbers)])  # type: ignore[arg-type]
    thread.inbox.put(None)
    thread.start()
    thread.join(10)
    outcome = out.get_nowait() if not out.empty() else None
    notes = [free.get_nowait() for _ in range(free.qsize())]
    return (outcome.results if isinstance(outcome, Outcome) else []), notes, deaths


def test_a_good_batch_is_one_forward() -> None:
    classifier = Classifier()
    results, notes, deaths = run([1, 2, 3], classifier)
    assert results == [[0.01], [0.02], [0.03]]
    assert classifier.sizes == [3]
    assert notes == [ModelFree()]
    assert not deaths


@pytest.mark.parametrize("place", [0, 5, 63])
def test_one_bad_message_of_64_fails_alone(place: int) -> None:
    numbers = [1] * 64
    numbers[place] = BAD
    results, _, _ = run(numbers, Classifier())
    failed = [i for i, result in enumerate(results) if isinstance(result, ModelFailed)]
    assert failed == [place]
    assert len(results) == 64


def test_running_out_of_memory_halves_the_batch_and_tells_the_batcher() -> None:
    results, notes, _ = run(list(range(20, 52)), Classifier(most=10))
    assert [result[0] for result in results] == [number / 100 for number in range(20, 52)]
    assert notes == [ModelFree(limit=8)]


def test_a_probability_that_is_no_number_is_that_messages_error() -> None:
    results, _, _ = run([1, 7, 2], Classifier())
    assert isinstance(results[1], ModelFailed)
    assert results[0] == [0.01]


def test_a_lost_device_ends_the_thread_with_its_reason() -> None:
    results, notes, deaths = run([1, FATAL], Classifier())
    assert results == []
    assert notes == []
    assert "ConnectionError: device lost" in deaths[0]
