from __future__ import annotations

import pytest

from worker.calibrate import Cost, fit


def test_the_fit_finds_the_line() -> None:
    cost = fit([(tokens, 0.003 + 0.00002 * tokens) for tokens in (10, 100, 1000, 5000)])
    assert cost.a_s == pytest.approx(0.003)
    assert cost.b_s == pytest.approx(0.00002)
    assert cost.overhead_tokens == pytest.approx(150)


def test_costs_are_never_negative() -> None:
    assert fit([(10, 0.004), (100, 0.001)]).b_s == 0.0
    assert fit([(10, 0.001), (20, 0.003)]).a_s == 0.0
    assert fit([(10, 0.002)]) == Cost(0.002, 0.0)
    assert Cost(0.002, 0.0).overhead_tokens == 0.0


def test_one_big_batch_does_not_outvote_the_small_ones() -> None:
    points = [(tokens, 0.002 + 0.00002 * tokens) for tokens in (20, 80, 320, 1280)] + [(6000, 0.170)]
    assert fit(points).a_s == pytest.approx(0.002, rel=0.25)
