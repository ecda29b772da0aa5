"""When a batch runs: the deadline is the oldest message's own, and no window is waited for in vain."""

from __future__ import annotations

import pytest

from sluice.worker.engine.batching.policy import BURST_GAP_S, MODEL_PLACES, Arrivals, Policy

NOW, NEVER = float("-inf"), float("inf")


def runs_at(mode: str, **given: object) -> float:
    known = {"oldest": 100.0, "full": False, "at_model": 0, "quiet_at": 100.0, **given}
    return Policy(mode, wait_s=0.005).runs_at(**known)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["dynamic", "static", "none"])
def test_nothing_runs_without_a_place_at_the_model(mode: str) -> None:
    assert runs_at(mode, full=True, at_model=MODEL_PLACES) == NEVER


@pytest.mark.parametrize("mode", ["dynamic", "static"])
def test_a_full_batch_runs_at_once_even_behind_another(mode: str) -> None:
    assert runs_at(mode, full=True, at_model=1) == NOW


def test_static_waits_for_the_oldest_messages_own_deadline_and_not_longer() -> None:
    assert runs_at("static", oldest=100.0) == pytest.approx(100.005)
    assert runs_at("static", oldest=100.0, at_model=1) == pytest.approx(100.005)


def test_dynamic_does_not_wait_when_nothing_is_on_its_way() -> None:
    assert runs_at("dynamic", oldest=100.0, quiet_at=100.0) == 100.0


def test_dynamic_waits_for_a_burst_but_never_beyond_the_deadline() -> None:
    assert runs_at("dynamic", oldest=100.0, quiet_at=100.002) == 100.002
    assert runs_at("dynamic", oldest=100.0, quiet_at=NEVER) == pytest.approx(100.005)


def test_dynamic_lets_a_partial_batch_grow_while_the_model_is_busy() -> None:
    assert runs_at("dynamic", at_model=1) == NEVER


def test_none_never_waits() -> None:
    assert runs_at("none", quiet_at=NEVER) == NOW


def test_a_lone_message_is_no_burst() -> None:
    arrivals = Arrivals()
    arrivals.saw(5.0, more=0)
    assert arrivals.quiet_at() == 5.0


def test_close_arrivals_are_a_burst_until_a_gap() -> None:
    arrivals = Arrivals()
    arrivals.saw(5.0, more=0)
    arrivals.saw(5.0 + BURST_GAP_S / 2, more=0)
    assert arrivals.quiet_at() == pytest.approx(5.0 + 1.5 * BURST_GAP_S)
    arrivals.saw(6.0, more=0)
    assert arrivals.quiet_at() == 6.0


def test_an_announced_envelope_is_waited_for() -> None:
    arrivals = Arrivals()
    arrivals.saw(5.0, more=12)
    assert arrivals.quiet_at() == NEVER
    arrivals.saw(5.1, more=0)
    assert arrivals.quiet_at() == 5.1
