"""The budget of tokens that follows from a device's cost."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sluice.worker.engine.batching.budget import OVERHEAD_SHARE, ROWS, SHORT_S, batch_tokens


def test_a_slow_device_gets_batches_just_large_enough() -> None:
    tokens = batch_tokens(a_s=0.050, b_s=0.001, messages=64, longest=96)
    assert 0.050 / (0.050 + 0.001 * tokens) == pytest.approx(OVERHEAD_SHARE, rel=0.01)


def test_a_fit_that_saw_no_fixed_cost_does_not_make_batches_tiny() -> None:
    assert batch_tokens(a_s=0.0, b_s=0.01, messages=64, longest=96) == ROWS


def test_a_fast_device_keeps_the_limit_of_messages() -> None:
    assert batch_tokens(a_s=0.003, b_s=1e-6, messages=64, longest=96) == 0
    assert batch_tokens(a_s=0.0, b_s=1e-6, messages=64, longest=96) == 0


def test_a_device_whose_time_does_not_grow_keeps_the_limit_of_messages() -> None:
    assert batch_tokens(a_s=0.5, b_s=0.0, messages=64, longest=96) == 0


def test_a_short_batch_is_not_cut_smaller_whatever_the_fit_says() -> None:
    assert batch_tokens(a_s=0.0, b_s=1e-4, messages=64, longest=96) == SHORT_S / 1e-4


@given(st.floats(0, 10), st.floats(0, 1), st.integers(1, 4096), st.integers(8, 4096))
def test_the_longest_message_always_fits(a_s: float, b_s: float, messages: int, longest: int) -> None:
    tokens = batch_tokens(a_s, b_s, messages, longest)
    assert tokens == 0 or longest <= tokens <= messages * longest
