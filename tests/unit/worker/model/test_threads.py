"""How many threads a model gets, with time that passes as the test says."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

import pytest
import torch

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model import calibrate, memory, threads
from sluice.worker.model.loader import load
from sluice.worker.model.simulated import SimulatedClassifier, SimulatedOptions
from tests.unit.worker.model.conftest import Settings

CORES = 4


class Timed(SimulatedClassifier):
    """Takes so many seconds a message with the threads that torch has now."""

    device = "cpu"

    def __init__(self, seconds: dict[int, float]) -> None:
        super().__init__(SimulatedOptions(batch_ms=0, message_us=0), 96)
        self.seconds, self.now = seconds, 0.0

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        self.now += len(batch) * self.seconds[torch.get_num_threads()]
        return super().forward(batch)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(CORES)))
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("one_less", "all_cores", "expected"),
    [(0.001, 0.0001, CORES - 1), (0.010, 0.007, CORES), (0.010, 0.0099, CORES - 1), (0.010, 0.3, CORES - 1)],
    ids=["light", "heavy", "heavy without gain", "heavy and slower"],
)
def test_all_cores_are_for_heavy_models_that_gain(
    one_less: float, all_cores: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Timed({CORES - 1: one_less, CORES: all_cores})
    monkeypatch.setattr(calibrate, "time", model)
    assert threads.settle(model, 0) == expected
    assert torch.get_num_threads() == expected


def test_a_set_number_is_taken_unmeasured() -> None:
    assert threads.settle(Timed({}), 2) == 2


def test_one_core_is_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert threads.settle(Timed({}), 0) == 1


def test_a_model_on_a_device_leaves_the_cores_alone() -> None:
    model = Timed({})
    model.device = "cuda:0"
    assert threads.settle(model, 0) == CORES - 1


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_loading_a_model_makes_waiting_threads_sleep_before_torch_is_there(
    given: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    with pytest.raises(ModelUnavailable):
        load(Settings(mbert_model_path="/nowhere"))
    assert os.environ["OMP_WAIT_POLICY"] == expected


def test_it_is_too_late_once_torch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    threads.wait_asleep()
    assert "OMP_WAIT_POLICY" not in os.environ


def test_memory_is_kept_on_glibc_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("musl", "1.2"))
    assert not memory.keep()
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert not memory.keep()
