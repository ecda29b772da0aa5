"""Suspects run one at a time, and only those of the broker connection that is."""

from __future__ import annotations

from types import SimpleNamespace

from sluice.worker.message import Received
from sluice.worker.redelivery import Trials


def envelope(generation: int = 1) -> Received:
    return Received(SimpleNamespace(id="x"), [], single=False, bulk=False, arrived=0.0, generation=generation)


def test_suspects_run_one_at_a_time_in_order() -> None:
    trials, first, second = Trials(), envelope(), envelope()
    trials.suspect(first)
    trials.suspect(second)
    assert trials.begin(1) is first
    assert trials.begin(1) is None
    trials.end(second)  # not the one on trial
    assert trials.begin(1) is None
    trials.end(first)
    assert trials.begin(1) is second


def test_a_new_connection_ends_all_trials_of_the_old_one() -> None:
    trials, old, waiting, new = Trials(), envelope(1), envelope(1), envelope(2)
    trials.suspect(old)
    assert trials.begin(1) is old
    trials.suspect(waiting)
    trials.suspect(new)
    assert trials.begin(2) is new
    trials.end(new)
    assert trials.begin(2) is None
