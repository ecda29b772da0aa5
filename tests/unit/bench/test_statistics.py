"""Medians, spreads, percentiles."""

from __future__ import annotations

import math

import pytest

from sluice.bench.statistics import median, percentile, spread, summarise


def test_median_and_spread() -> None:
    assert median([3, 1, 10]) == 3
    assert median(iter([1, 2])) == 1.5
    assert spread(iter([3, 1, 10])) == (1, 10)
    with pytest.raises(ValueError, match="no median"):
        median([])


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, share) for share in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([7.0], 99) == 7
    assert math.isnan(percentile([], 50))


def test_runs_are_summed_up_in_order_of_first_appearance() -> None:
    rows = [
        {"run": 1, "mode": "b", "rate": 10.0},
        {"run": 1, "mode": "a", "rate": 1.0},
        {"run": 2, "mode": "b", "rate": 30.0},
        {"run": 3, "mode": "b", "rate": 11.0},
    ]
    assert summarise(rows, ["mode"], ["rate"]) == [
        {"mode": "b", "runs": 3, "rate": 11.0, "rate_min": 10.0, "rate_max": 30.0},
        {"mode": "a", "runs": 1, "rate": 1.0, "rate_min": 1.0, "rate_max": 1.0},
    ]
