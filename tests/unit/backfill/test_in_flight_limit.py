"""The limit follows the drain rate between its bounds."""

from __future__ import annotations

import pytest

from sluice.backfill.clients.base import Demand
from sluice.backfill.in_flight_limit import AHEAD_S, InFlightLimit

DEMAND = Demand(messages=64, floor=256)


def drained(rate: float, *, seconds: float = 5.0, most: int = 16_384) -> InFlightLimit:
    limit = InFlightLimit(most, 0.0)
    for step in range(1, round(seconds * 10) + 1):
        limit.answered(round(rate / 10), step / 10)
    return limit


def test_the_floor_holds_before_anything_is_known() -> None:
    assert InFlightLimit(16_384, 0.0).messages(DEMAND) == 256


@pytest.mark.parametrize(("rate", "limit"), [(30, 256), (10_000, 10_000 * AHEAD_S), (1_000_000, 16_384)])
def test_the_limit_follows_the_rate(rate: float, limit: float) -> None:
    assert drained(rate).messages(DEMAND) == pytest.approx(limit, rel=0.02)


def test_the_callers_bound_holds_even_below_the_floor() -> None:
    assert drained(10_000, most=100).messages(DEMAND) == 100


def test_a_slower_drain_shortens_the_window() -> None:
    limit = drained(10_000)
    for step in range(1, 51):
        limit.answered(100, 5 + step / 10)
    assert limit.messages(DEMAND) == pytest.approx(1_000 * AHEAD_S, rel=0.05)
