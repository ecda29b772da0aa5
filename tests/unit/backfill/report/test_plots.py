"""What stands under and beside the bars of pictures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sluice.backfill.report.plots import _rows_each, _short, _ticks, drawable, moment, on_one_day
from sluice.backfill.report.timeline import Bars, Timeline


def bars(start: datetime, span: timedelta) -> Bars:
    line = Timeline()
    seconds = int(start.timestamp()) + np.linspace(0, span.total_seconds(), 500).astype(np.int64)
    line.add(seconds, np.zeros(500, np.int64))
    result = line.bars(1)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("span", "names"),
    [
        (timedelta(seconds=70), ["09:11:20", "09:11:30", "09:11:40", "09:11:50", "09:12:00", "09:12:10", "09:12:20"]),
        (timedelta(minutes=3), ["09:11:30", "09:12:00", "09:12:30", "09:13:00", "09:13:30", "09:14:00"]),
        (timedelta(hours=1), ["09:20", "09:30", "09:40", "09:50", "10:00", "10:10"]),
        (timedelta(days=2), ["5 Feb 12:00", "6 Feb 00:00", "6 Feb 12:00", "7 Feb 00:00"]),
        (
            timedelta(days=6),
            ["6 Feb 00:00", "8 Feb 00:00", "10 Feb 00:00"],
        ),
        (timedelta(days=3 * 365), ["Jul 2026", "Jan 2027", "Jul 2027", "Jan 2028", "Jul 2028", "Jan 2029"]),
        (timedelta(days=80 * 365), ["2030", "2050", "2070", "2090"]),
        (timedelta(0), ["09:11:13"]),
    ],
)
def test_names_under_bars_are_round_times_and_few(span: timedelta, names: list[str]) -> None:
    shown = bars(datetime(2026, 2, 5, 9, 11, 13, tzinfo=UTC), span)
    most = 6 if shown.unit.name in ("hour", "6 hours") else 8
    assert [moment(int(shown.starts[at]), shown) for at in _ticks(shown, most)] == names


def test_the_day_is_told_where_bars_have_only_the_clock() -> None:
    start = datetime(2026, 2, 5, 9, tzinfo=UTC)
    assert on_one_day(bars(start, timedelta(hours=2))) == "5 Feb 2026"
    assert on_one_day(bars(start, timedelta(hours=20))) == ""
    assert on_one_day(bars(start, timedelta(days=60))) == ""


def test_numbers_of_an_axis_have_one_unit() -> None:
    assert [_short(value, 17_000) for value in (0, 4_000, 12_000)] == ["0", "4k", "12k"]
    assert [_short(value, 9_999) for value in (0, 4_000)] == ["0", "4,000"]
    assert [_short(value, 1.6e6) for value in (500_000, 1_500_000)] == ["0.5M", "1.5M"]


def test_an_hour_is_no_a_hour() -> None:
    assert [_rows_each(unit) for unit in ("hour", "day", "6 hours")] == [
        "rows an hour",
        "rows a day",
        "rows in 6 hours",
    ]


def test_names_that_the_font_lacks_are_numbered_and_long_ones_cut() -> None:
    names = ["spam", "спам", "ขยะ", "垃圾", "سبام", "x" * 60 + "1", "$a$", "a\nb", "🎁"]
    assert drawable(names) == [
        "spam", "спам", "label 3", "label 4", "label 5", "x" * 11 + "…" + "x" * 9 + "1", r"\$a\$", "label 8", "label 9",
    ]  # fmt: skip
    assert drawable([]) == []
