"""What `sluice tune` advises, as a pure function of cost and target."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sluice.worker.engine.batching.advice import MOST_MESSAGES, PATH_S, advise

costs = st.floats(1e-5, 1.0)


@given(costs, st.floats(0, 0.01), st.floats(0.001, 10), st.floats(2, 96))
def test_what_is_promised_follows_from_what_is_advised(a_s: float, b_s: float, target_s: float, mean: float) -> None:
    advice = advise(a_s, b_s, target_s, mean, longest=96)
    assert 96 <= advice.tokens <= MOST_MESSAGES * 96
    assert 1 <= advice.messages <= MOST_MESSAGES
    assert advice.wait_s <= a_s
    assert advice.batch_s == pytest.approx(a_s + b_s * advice.tokens)
    assert advice.latency_s >= PATH_S + 2 * advice.batch_s
    assert advice.met == (advice.latency_s <= target_s * 1.001)


@given(costs, st.floats(1e-6, 0.01), st.floats(2, 96))
def test_a_target_is_missed_only_where_one_full_length_message_misses_it(a_s: float, b_s: float, mean: float) -> None:
    for target_s in (0.02, 0.2, 2.0):
        advice = advise(a_s, b_s, target_s, mean, longest=96)
        assert advice.met or advice.tokens == 96


@given(costs, st.floats(1e-6, 0.01))
def test_more_time_never_means_less_work(a_s: float, b_s: float) -> None:
    strict, lenient = (advise(a_s, b_s, target_s, 26, 96) for target_s in (0.05, 0.5))
    assert strict.tokens <= lenient.tokens
    assert strict.rate <= lenient.rate * 1.001


def test_a_slow_device_under_a_strict_target_gets_small_batches() -> None:
    advice = advise(0.030, 0.001, 0.5, 26, 96)
    assert advice.limited
    assert advice.met
    assert advice.tokens < 270


def test_with_all_the_time_of_the_world_the_batch_is_what_pays() -> None:
    advice = advise(0.030, 0.001, 60.0, 26, 96)
    assert not advice.limited
    assert 0.030 / advice.batch_s <= 0.11
