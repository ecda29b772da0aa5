"""Senders are counted in bounded memory and ranked so that a single row does not win."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.report.senders import Senders, wilson


@pytest.mark.parametrize(
    ("hits", "trials", "bound"),
    [(0, 0, 0), (0, 10, 0), (1, 1, 0.2065), (10, 10, 0.7225), (99, 100, 0.9455), (5, 10, 0.2366)],
)
def test_lower_bounds_of_wilsons_interval(hits: int, trials: int, bound: float) -> None:
    assert wilson(hits, trials) == pytest.approx(bound, abs=5e-5)


def test_many_rows_count_more_than_a_clean_sweep_of_few() -> None:
    senders = Senders()
    senders.add({"once": (1, 1), "thrice": (3, 3), "often": (100, 95), "half": (1000, 500), "good": (50, 0)})
    assert [sender.name for sender in senders.top(9)] == ["often", "half", "thrice"]
    assert [sender.name for sender in senders.busiest(2)] == ["half", "often"]


def test_counts_are_exact_while_senders_are_few() -> None:
    senders = Senders(capacity=50)
    for _ in range(3):
        senders.add({f"s{at}": (at + 1, at % 2) for at in range(100)})
    assert (senders.missed, senders.distinct) == (0, 100)
    assert {sender.name: (sender.rows, sender.unwanted) for sender in senders.busiest(100, 1)} == {
        f"s{at}": (3 * (at + 1), 3 * (at % 2)) for at in range(100)
    }


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32))
def test_nobody_frequent_is_lost_and_no_count_is_far_off(capacity: int, seed: int) -> None:
    source = random.Random(seed)
    stream = [f"s{int(source.paretovariate(0.7)) % 400}" for _ in range(1500)]
    truth = Counter(stream)
    senders = Senders(capacity)
    for at in range(0, len(stream), 100):
        senders.add({name: (count, count) for name, count in Counter(stream[at : at + 100]).items()})
    known = {sender.name: sender for sender in senders.busiest(len(truth), 1)}
    limit = len(stream) / (capacity + 1)
    assert len(known) <= 2 * capacity
    assert senders.missed <= limit
    for name, count in truth.items():
        if count > limit:
            assert name in known
    for name, sender in known.items():
        assert sender.rows <= truth[name] <= sender.rows + sender.missed <= sender.rows + senders.missed
