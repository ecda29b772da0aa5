"""The ``Prefer`` header."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sluice.web.http.prefer import MAX_WAIT_S, Preference, preference


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Preference(10)),
        ("", Preference(10)),
        ("wait=3", Preference(3, "wait=3")),
        ("Wait = 3", Preference(3, "wait=3")),
        ('wait="3"', Preference(3, "wait=3")),
        ("wait=0.25", Preference(0.25, "wait=0.25")),
        ("wait=0", Preference(0, "wait=0")),
        ("wait=86400", Preference(600, "wait=600")),
        ("respond-async", Preference(0, "respond-async")),
        ("respond-async, wait=5", Preference(5, "respond-async, wait=5")),
        ("return=minimal; wait=4", Preference(4, "wait=4")),
        ("wait=-1", Preference(10)),
        ("wait=soon", Preference(10)),
        ("wait=", Preference(10)),
        ("wait=nan", Preference(10)),
        ("await=3", Preference(10)),
        ("handling=lenient", Preference(10)),
    ],
)
def test_what_it_means(header: str | None, expected: Preference) -> None:
    assert preference(header, 10) == expected


@given(st.text(max_size=60))
def test_nothing_breaks_it(header: str) -> None:
    found = preference(header, 10)
    assert 0 <= found.wait_s <= MAX_WAIT_S
    assert found.applied.isascii()
