"""The simulated accelerator: options, timing, fixed answers, failures on demand."""

from __future__ import annotations

import time

import pytest

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.base import Classifier
from sluice.worker.model.simulated import SimulatedClassifier, parse_options, text_hash


def make(spec: str = "simulated:?batch_ms=0&message_us=0", limit: int = 96) -> SimulatedClassifier:
    return SimulatedClassifier(parse_options(spec), limit)


def test_it_is_a_classifier() -> None:
    assert isinstance(make(), Classifier)


def test_answers_depend_on_the_text_alone() -> None:
    model = make()
    texts = [f"message {number}" for number in range(60)]
    together = model.forward(model.encode(texts))
    alone = [model.forward(model.encode([text]))[0] for text in reversed(texts)]
    assert together == alone[::-1]
    assert all(abs(sum(row) - 1) < 1e-9 for row in together)
    assert {row.index(max(row)) for row in together} == {0, 1, 2}


def test_length_follows_the_text_up_to_the_limit() -> None:
    model = make(limit=10)
    assert [len(ids) for ids in model.encode(["", "x" * 12, "x" * 4000])] == [2, 5, 10]


def test_a_batch_takes_its_time() -> None:
    model = make("simulated:?batch_ms=20&message_us=1000")
    batch = model.encode(["a"] * 10)
    began = time.perf_counter()
    model.forward(batch)
    assert time.perf_counter() - began >= 0.03
    assert model.forward([]) == []


def test_preparation_takes_its_time_once_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    model = make("simulated:?batch_ms=0&prepare_ms=500")
    slept.clear()
    assert len(model.encode(["a", "b", "c"])) == 3
    assert model.encode([]) == []
    assert slept == [0.5]


def test_poison_and_named_messages_fail_their_batch() -> None:
    model = make(f"simulated:?batch_ms=0&poison=BAD&fail_on={text_hash('secret')}")
    sound = model.encode(["fine"])
    for text in ("this is BAD", "secret"):
        with pytest.raises(RuntimeError) as error:
            model.forward(sound + model.encode([text]))
        assert not model.is_fatal(error.value)
        assert not model.is_out_of_memory(error.value)
    assert len(model.forward(sound)) == 1


def test_out_of_memory_and_a_lost_device_can_be_told_apart() -> None:
    model = make("simulated:?batch_ms=0&oom_over=3&fatal=DEAD")
    with pytest.raises(RuntimeError) as full:
        model.forward(model.encode(["a"] * 4))
    with pytest.raises(RuntimeError) as lost:
        model.forward(model.encode(["DEAD"]))
    assert model.is_out_of_memory(full.value)
    assert not model.is_fatal(full.value)
    assert model.is_fatal(lost.value)
    assert not model.is_out_of_memory(lost.value)
    model.warm_up(64)


def test_any_text_can_be_encoded() -> None:
    model = make()
    assert len(model.forward(model.encode(["", "\x00", "\ud800", "😀" * 100_000]))) == 4


@pytest.mark.parametrize("query", ["batchms=3", "batch_ms=fast", "batch_ms=-1", "oom_over=1.5", "load_ms=inf"])
def test_a_wrong_option_is_refused_by_name(query: str) -> None:
    with pytest.raises(ModelUnavailable, match=query.split("=")[0]) as error:
        parse_options(f"simulated:?{query}")
    assert "SLUICE_MODEL" in str(error.value)


def test_no_options_are_the_defaults() -> None:
    assert parse_options("simulated:").batch_ms == 3
    assert parse_options("simulated:?").message_us == 20
