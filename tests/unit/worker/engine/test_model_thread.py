"""The model thread: a failing message is separated from its batch."""

from __future__ import annotations

from collections.abc import Sequence
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from sluice.tasks.errors import ModelFailed
from sluice.worker.engine.mail import EncodedText, Ended, ModelFree, Outcome
from sluice.worker.engine.model_thread import ModelThread

BAD, FATAL = 13, 99


class Classifier:
    """Probabilities that name the message; fails on batches with ``BAD`` or over ``most`` messages."""

    unknown_id = 3

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self.sizes: list[int] = []

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[] for _ in texts]

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


class DeviceClassifier(Classifier):
    """The same on a device that works on its own; writes down what was asked of it when."""

    def __init__(self, most: int = 1000, refuses: int = -1) -> None:
        super().__init__(most)
        self.refuses = refuses
        self.calls: list[tuple[str, int]] = []

    def submit(self, batch: Sequence[list[int]]) -> list[list[int]]:
        self.calls.append(("submit", batch[0][0]))
        if batch[0][0] == self.refuses:
            raise MemoryError("no room for it")
        return list(batch)

    def collect(self, handle: list[list[int]]) -> list[list[float]]:
        self.calls.append(("collect", handle[0][0]))
        return super().forward(handle)


def encoded(number: int) -> EncodedText:
    return EncodedText([number], [(SimpleNamespace(), 0)], bulk=False, arrived=0.0)  # type: ignore[list-item]


def run_batches(
    batches: list[list[int]], classifier: Classifier
) -> tuple[list[Outcome], list[ModelFree], list[str], list[list[EncodedText]]]:
    """Batches of messages ``[number]`` through the thread: outcomes, notes to the batcher, deaths, the batches."""
    free: SimpleQueue[Any] = SimpleQueue()
    out: SimpleQueue[Any] = SimpleQueue()
    deaths: list[str] = []
    thread = ModelThread(classifier, to_batcher=free.put, emit=out.put, on_death=deaths.append)  # type: ignore[arg-type]
    made = [list(map(encoded, numbers)) for numbers in batches]
    for batch in (*made, None):
        thread.inbox.put(batch)
    thread.start()
    thread.join(10)
    outcomes = [out.get_nowait() for _ in range(out.qsize())]
    assert deaths or outcomes.pop() == Ended(), "nobody is told of the end"
    return outcomes, [free.get_nowait() for _ in range(free.qsize())], deaths, made


def run(numbers: list[int], classifier: Classifier) -> tuple[list[Any], list[Any], list[str]]:
    """One batch: its answers, the limits told to the batcher, deaths."""
    outcomes, notes, deaths, _ = run_batches([numbers], classifier)
    return (outcomes[0].answers if outcomes else []), [note.limit for note in notes], deaths


def test_a_good_batch_is_one_forward() -> None:
    classifier = Classifier()
    results, notes, deaths = run([1, 2, 3], classifier)
    assert results == [[0.01], [0.02], [0.03]]
    assert classifier.sizes == [3]
    assert notes == [None]
    assert not deaths


@pytest.mark.parametrize("position", [0, 5, 63])
def test_one_bad_message_of_64_fails_alone(position: int) -> None:
    numbers = [1] * 64
    numbers[position] = BAD
    results, _, _ = run(numbers, Classifier())
    failed = [i for i, result in enumerate(results) if isinstance(result, ModelFailed)]
    assert failed == [position]
    assert len(results) == 64


def test_running_out_of_memory_halves_the_batch_and_tells_the_batcher() -> None:
    results, notes, _ = run(list(range(20, 52)), Classifier(most=10))
    assert [result[0] for result in results] == [number / 100 for number in range(20, 52)]
    assert notes == [8]


def test_a_probability_that_is_no_number_is_that_messages_error() -> None:
    results, _, _ = run([1, 7, 2], Classifier())
    assert isinstance(results[1], ModelFailed)
    assert results[0] == [0.01]


def test_a_lost_device_ends_the_thread_with_its_reason() -> None:
    results, notes, deaths = run([1, FATAL], Classifier())
    assert results == []
    assert notes == []
    assert "ConnectionError: device lost" in deaths[0]


def test_the_batcher_and_the_deliver_thread_get_the_batch_with_its_answers() -> None:
    outcomes, notes, _, (batch,) = run_batches([[Classifier.unknown_id, BAD]], Classifier())
    assert notes[0].batch is batch
    assert notes[0].answers == outcomes[0].answers
    assert outcomes[0].refs == [text.refs for text in batch]
    assert (outcomes[0].origin, outcomes[0].tokens, outcomes[0].cache_keys) == ("model", 2, None)
    assert (outcomes[0].pieces, outcomes[0].unknown) == (2, 1)


def test_batches_that_have_not_begun_can_be_taken_back() -> None:
    thread = ModelThread(Classifier(), to_batcher=print, emit=print, on_death=print)  # type: ignore[arg-type]
    batches = [[encoded(1)], [encoded(2), encoded(3)]]
    for batch in batches:
        thread.inbox.put(batch)
    assert thread.take_back() == batches
    assert thread.take_back() == []


class TestAhead:
    """A classifier with ``submit`` and ``collect``."""

    def test_the_next_batch_is_on_the_device_before_this_one_is_collected(self) -> None:
        classifier = DeviceClassifier()
        outcomes, notes, _, batches = run_batches([[1, 2], [3], [4]], classifier)
        assert classifier.calls == [
            ("submit", 1),
            ("submit", 3),
            ("collect", 1),
            ("submit", 4),
            ("collect", 3),
            ("collect", 4),
        ]
        assert [outcome.answers for outcome in outcomes] == [[[0.01], [0.02]], [[0.03]], [[0.04]]]
        assert [note.batch for note in notes] == batches

    def test_a_lone_batch_is_collected_at_once(self) -> None:
        classifier = DeviceClassifier()
        free: SimpleQueue[Any] = SimpleQueue()
        thread = ModelThread(classifier, to_batcher=free.put, emit=lambda note: None, on_death=print)  # type: ignore[arg-type]
        thread.start()
        for number in (1, 2):
            thread.inbox.put([encoded(number)])
            assert free.get(timeout=10).answers == [[number / 100]]
        thread.inbox.put(None)
        thread.join(10)
        assert not thread.is_alive()

    def test_a_batch_that_fails_on_the_device_is_halved(self) -> None:
        outcomes, _, _, _ = run_batches([[1, BAD, 2], [3]], DeviceClassifier())
        first, second = (outcome.answers for outcome in outcomes)
        assert (first[0], first[2], second) == ([0.01], [0.02], [[0.03]])
        assert isinstance(first[1], ModelFailed)

    def test_a_batch_that_the_device_does_not_take_is_halved_in_its_turn(self) -> None:
        outcomes, notes, _, _ = run_batches([[1], [2, 3], [4]], DeviceClassifier(refuses=2))
        assert [outcome.answers for outcome in outcomes] == [[[0.01]], [[0.02], [0.03]], [[0.04]]]
        assert [note.limit for note in notes] == [None, 1, None]

    def test_a_lost_device_ends_the_thread(self) -> None:
        outcomes, _, deaths, _ = run_batches([[1], [FATAL]], DeviceClassifier())
        assert len(outcomes) == 1
        assert "ConnectionError: device lost" in deaths[0]
