"""Bars over time of a length that suits the span."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sluice.backfill.report import timeline
from sluice.backfill.report.timeline import MAX_BARS, UNITS, Bars, Timeline

START = datetime(2026, 1, 15, 8, 20, 30, tzinfo=UTC)


def line(span: timedelta, rows: int = 200, labels: int = 2, batches: int = 4) -> Timeline:
    result = Timeline()
    seconds = (int(START.timestamp()) + np.linspace(0, span.total_seconds(), rows)).astype(np.int64)
    for part in np.array_split(np.arange(rows), batches):
        result.add(seconds[part], part % labels)
    return result


def bars(of: Timeline, labels: int = 2) -> Bars:
    result = of.bars(labels)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("span", "unit"),
    [
        (timedelta(0), "second"), (timedelta(seconds=50), "second"), (timedelta(minutes=3), "10 seconds"),
        (timedelta(hours=1), "minute"), (timedelta(hours=10), "10 minutes"), (timedelta(days=2), "hour"),
        (timedelta(days=14), "6 hours"), (timedelta(days=80), "day"), (timedelta(days=365), "week"),
        (timedelta(days=3 * 365), "month"), (timedelta(days=12 * 365), "quarter"), (timedelta(days=60 * 365), "year"),
    ],
)  # fmt: skip
def test_the_length_of_bars_follows_the_span_and_no_row_is_lost(span: timedelta, unit: str) -> None:
    shown = bars(line(span))
    assert shown.unit.name == unit
    assert shown.counts.sum(axis=0).tolist() == [100, 100]
    assert shown.outside == 0
    assert len(shown.starts) <= MAX_BARS + 2
    assert shown.span == (START.timestamp(), (START + span).timestamp())


def test_bars_begin_where_calendars_do() -> None:
    def first(name: str) -> datetime:
        unit = next(unit for unit in UNITS if unit.name == name)
        return datetime.fromtimestamp(int(unit.floor(np.array([int(START.timestamp())]))[0]), UTC)

    assert first("week") == datetime(2026, 1, 12, tzinfo=UTC)
    assert first("week").strftime("%A") == "Monday"
    assert first("month") == datetime(2026, 1, 1, tzinfo=UTC)
    assert first("6 hours") == datetime(2026, 1, 15, 6, tzinfo=UTC)
    unit = next(unit for unit in UNITS if unit.name == "quarter")
    may, june = (int(datetime(2026, month, 9, tzinfo=UTC).timestamp()) for month in (5, 12))
    starts = [datetime.fromtimestamp(at, UTC) for at in unit.starts(may, june).tolist()]
    assert [(start.month, start.day) for start in starts] == [(4, 1), (7, 1), (10, 1)]


def test_times_without_rows_are_empty_bars() -> None:
    result = Timeline()
    at = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
    result.add(np.array([at, at + 9 * 86_400]), np.array([0, 0]))
    shown = bars(result, 1)
    assert shown.counts.sum() == 2
    assert (np.diff(shown.starts) == shown.unit.seconds).all()
    assert (shown.counts == 0).sum() > 5


def test_many_counters_are_joined_and_the_bars_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = bars(line(timedelta(days=300), rows=3000))
    monkeypatch.setattr(timeline, "MAX_COUNTERS", 400)
    joined = line(timedelta(days=300), rows=3000, batches=30)
    assert len(joined._counts) <= 700
    assert np.array_equal(bars(joined).counts, exact.counts)


def test_a_few_wrong_clocks_do_not_squeeze_the_others() -> None:
    result = line(timedelta(days=30), rows=10_000)
    result.add(np.array([int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())]), np.array([0]))
    shown = bars(result)
    assert shown.unit.name in ("day", "6 hours")
    assert 1 <= shown.outside <= 25
    assert shown.counts.sum() + shown.outside == 10_001
    assert datetime.fromtimestamp(shown.span[0], UTC).year == 2026


@pytest.mark.parametrize(("grain", "unit"), [(1, "10 seconds"), (60, "minute"), (3600, "hour"), (86_400, "day")])
def test_bars_are_not_shorter_than_what_times_are_given_in(grain: int, unit: str) -> None:
    result = Timeline()
    seconds = int(START.timestamp()) + np.linspace(0, max(180, 2 * grain), 50).astype(np.int64)
    result.add(seconds // grain * grain, np.zeros(50, np.int64))
    assert bars(result, 1).unit.name == unit


def test_no_rows_make_no_bars() -> None:
    result = Timeline()
    result.add(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert result.bars(3) is None
