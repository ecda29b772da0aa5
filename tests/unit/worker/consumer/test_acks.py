"""Multiple-acks reach exactly as far as everything before them is finished."""

from __future__ import annotations

import random

from hypothesis import given, settings, strategies as st

from sluice.worker.consumer.acks import MOST_BEYOND_GAP, TagWindow


def test_tags_in_order_go_in_one_ack() -> None:
    window = TagWindow()
    assert window.finish([1, 2, 3]) == (3, [])
    assert window.finish([4]) == (4, [])


def test_a_gap_stops_the_multiple_ack() -> None:
    window = TagWindow()
    assert window.finish([1, 3, 4]) == (1, [3, 4])
    assert window.finish([2]) == (2, []), "3 and 4 are acknowledged already: naming them again is an error"
    assert window.finish([5, 6]) == (6, [])


def test_a_foreign_message_is_never_acknowledged_with_ours() -> None:
    window = TagWindow()  # tag 2 is somebody else's and stays open
    window.finish([1])
    for tag in range(3, 50):
        multiple, singly = window.finish([tag])
        assert (multiple, singly) == (0, [tag])


def test_a_gap_that_stays_open_costs_bounded_memory() -> None:
    window = TagWindow()
    window.finish(range(2, MOST_BEYOND_GAP + 10))
    assert window.finish([1]) == (0, [1])
    assert not window._beyond


@given(st.integers(1, 200), st.integers(0, 2**32), st.sets(st.integers(1, 200)))
@settings(max_examples=150, deadline=None)
def test_each_finished_tag_is_acknowledged_and_no_other(count: int, seed: int, foreign: set[int]) -> None:
    order = [tag for tag in range(1, count + 1) if tag not in foreign]
    random.Random(seed).shuffle(order)
    window, finished = TagWindow(), set[int]()
    acknowledged: set[int] = set()
    while order:
        several, order = order[:7], order[7:]
        finished.update(several)
        multiple, singly = window.finish(several)
        assert multiple not in acknowledged
        assert not acknowledged & set(singly)
        acknowledged.update(singly)
        acknowledged.update(range(1, multiple + 1))
        assert acknowledged == finished
