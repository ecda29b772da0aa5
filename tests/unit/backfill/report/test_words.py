"""How counts, times and durations are written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sluice.backfill.report.words import duration, percent, rate, rows, span

START = int(datetime(2026, 11, 5, 7, 8, 9, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [(0, 0, "–"), (0, 9, "0.0%"), (1, 9_999, "<0.1%"), (1, 8, "12.5%"), (9_998, 9_999, ">99.9%"), (9, 9, "100.0%")],
)
def test_shares_are_never_rounded_to_none_or_all(part: int, whole: int, written: str) -> None:
    assert percent(part, whole) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (7_500, "2 h 5 min"),
     (86_400 * 3 + 3600 * 4, "3 d 4 h")],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds: float, written: str) -> None:
    assert duration(seconds) == written


def test_rates_have_three_digits_and_need_time() -> None:
    assert [rate(12_345, 1), rate(1, 3), rate(5, 0)] == ["12,345", "0.333", "–"]


def test_one_row_is_no_plural() -> None:
    assert [rows(0), rows(1), rows(2_000)] == ["0 rows", "1 row", "2,000 rows"]


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "5 Nov 2026 07:08:09"),
        (20, "5 Nov 2026 07:08:09 to 07:08:29"),
        (7_200, "5 Nov 2026 07:08 to 09:08"),
        (86_400, "5 Nov 2026 07:08 to 6 Nov 2026 07:08"),
        (86_400 * 400, "5 Nov 2026 to 10 Dec 2027"),
    ],
)
def test_spans_show_as_much_of_the_clock_as_they_need(seconds: int, written: str) -> None:
    assert span(START, START + seconds) == written


def test_dates_without_a_clock_get_none() -> None:
    midnight = START // 86_400 * 86_400
    assert span(midnight, midnight) == "5 Nov 2026"
    assert span(midnight, midnight + 86_400) == "5 Nov 2026 to 6 Nov 2026"
