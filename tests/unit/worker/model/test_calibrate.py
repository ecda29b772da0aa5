from __future__ import annotations

from collections.abc import Sequence

import pytest

from sluice.worker.model import calibrate
from sluice.worker.model.calibrate import Cost, Point, counts, fit, fit_points, measure
from sluice.worker.model.simulated import SimulatedClassifier, SimulatedOptions


def test_the_fit_finds_the_line() -> None:
    cost = fit([(tokens, 0.003 + 0.00002 * tokens) for tokens in (10, 100, 1000, 5000)])
    assert cost.a_s == pytest.approx(0.003)
    assert cost.b_s == pytest.approx(0.00002)
    assert cost.overhead_tokens == pytest.approx(150)
    assert cost.seconds(200) == pytest.approx(0.007)


def test_costs_are_never_negative() -> None:
    assert fit([(10, 0.004), (100, 0.001)]).b_s == 0.0
    assert fit([(10, 0.001), (20, 0.003)]).a_s == 0.0
    assert fit([(10, 0.002)]) == Cost(0.002, 0.0)
    assert Cost(0.002, 0.0).overhead_tokens == 0.0
    assert Cost(0.002, 0.0).residual == 0.0


def test_one_big_batch_does_not_outvote_the_small_ones() -> None:
    points = [(tokens, 0.002 + 0.00002 * tokens) for tokens in (20, 80, 320, 1280)] + [(6000, 0.170)]
    assert fit(points).a_s == pytest.approx(0.002, rel=0.25)


def test_the_points_are_kept_and_the_residual_is_their_error_in_parts_of_the_measured_time() -> None:
    points = (Point(1, 10, 0.01), Point(1, 10, 0.02))
    assert fit_points(points).points == points
    assert Cost(0.0, 0.001, points).residual == pytest.approx((0.25 / 2) ** 0.5)


def test_batches_grow_up_to_the_largest() -> None:
    assert counts(1) == [1]
    assert counts(4) == [1, 4]
    assert counts(64) == [1, 4, 16, 64]
    assert counts(200) == [1, 4, 16, 64, 200]


class Clock:
    """Time that passes only while a model works."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Device(SimulatedClassifier):
    """Costs 2 ms a batch and 0.1 ms a token."""

    def __init__(self, clock: Clock, padded: bool) -> None:
        super().__init__(SimulatedOptions(batch_ms=0, message_us=0), 96)
        self.clock, self.padded, self.ran = clock, padded, 0

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        computed = len(batch) * max(map(len, batch)) if self.padded else sum(map(len, batch))
        self.clock.now += 0.002 + 0.0001 * computed
        self.ran += 1
        return super().forward(batch)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(calibrate, "time", made)
    return made


@pytest.mark.parametrize("padded", [True, False])
def test_the_cost_of_a_device_is_found(clock: Clock, padded: bool) -> None:
    cost = measure(Device(clock, padded), 64, budget_s=60)
    assert cost.a_s == pytest.approx(0.002)
    assert cost.b_s == pytest.approx(0.0001)
    assert {point.messages for point in cost.points} == {1, 4, 16, 64}


def test_a_slow_device_is_measured_on_less(clock: Clock) -> None:
    cost = measure(Device(clock, False), 4096, budget_s=1.0)
    assert clock.now < 1.0
    assert len(cost.points) >= 3
    assert len(measure(Device(clock, False), 4096, budget_s=0.0).points) == 1
