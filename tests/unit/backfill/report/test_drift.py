"""Weeks that are unlike the others are told, and no others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sluice.backfill.report import read
from sluice.backfill.report.daily import Daily
from sluice.backfill.report.drift import Measure, departures
from sluice.backfill.report.pieces import MOST_TEXTS, Pieces
from sluice.backfill.report.timeline import DAY_S, PERIODS, Timeline
from sluice.backfill.report.times import NEVER
from tests.unit.backfill.report.outputs import Line, report_on, row

MONDAY = int(np.datetime64("2026-03-02", "s").astype(np.int64))
WEEK_S = 7 * DAY_S


def measure(rows: list[int], means: list[float], name: str = "spam") -> Measure:
    return Measure(name, np.array(rows), np.array(rows) * np.array(means))


def found(*measures: Measure) -> list[tuple[int, list[int]]]:
    return [(one.period, [number for number, _ in one.measures]) for one in departures(measures).found]


def test_the_week_that_differs_is_told_with_what_differs() -> None:
    shares = measure([500] * 10, [0.1] * 6 + [0.4] + [0.1] * 3)
    confidence = measure([500] * 10, [0.95] * 10, "mean confidence")
    result = departures([shares, confidence])
    assert found(shares, confidence) == [(6, [0])]
    assert result.found[0].measures[0][1] == pytest.approx(0.1)
    assert not result.scattered


def test_a_large_odd_week_does_not_make_the_others_odd() -> None:
    assert found(measure([300] * 5 + [30_000] + [300] * 5, [0.05] * 5 + [0.6] + [0.05] * 5)) == [(5, [0])]


def test_several_odd_weeks_are_all_told_and_an_empty_one_is_not() -> None:
    rows = [400, 400, 0, 400, 400, 400, 400, 400, 400]
    assert found(measure(rows, [0.9, 0.4, 0, 0.9, 0.9, 0.5, 0.9, 0.9, 0.9])) == [(1, [0]), (5, [0])]


def test_weeks_that_all_differ_have_no_others() -> None:
    result = departures([measure([5_000] * 6, [0.02, 0.2, 0.5, 0.8, 0.1, 0.98])])
    assert result.scattered
    assert len(result.found) < 4


@pytest.mark.parametrize(
    "measures",
    [
        [measure([1_000_000] * 8, [0.10] * 7 + [0.13])],  # by no chance, but a trifle
        [measure([1_000_000] * 8, [0.0002] * 7 + [0.001])],
        [measure([20] * 8, [0.1] * 7 + [0.3])],  # much, but by chance
        [measure([10_000] * 8, [0.0] * 8)],
        [measure([10_000] * 8, [1.0] * 8)],
        [measure([500, 500], [0.1, 0.9])],  # of two nobody knows which one is the odd one
    ],
)
def test_trifles_and_chance_are_not_told(measures: list[Measure]) -> None:
    assert found(*measures) == []


def test_one_message_is_no_drift_however_rare_its_like() -> None:
    assert found(Measure("phishing", np.array([30] + [3_000] * 5), np.array([1.0] + [0.0] * 5))) == []


def test_stable_archives_raise_no_alarm_whatever_their_size() -> None:
    """Of 500 archives one may be told of, were the bound reached; it is far from it."""
    chance = np.random.default_rng(7)
    alarms = 0
    for _ in range(500):
        rows = chance.integers(1, 400, size=chance.integers(3, 60))
        labels = np.array([chance.multinomial(count, [0.7, 0.2, 0.1]) for count in rows])
        confidence = np.array([chance.beta(8, 1, count).sum() for count in rows])
        measures = [Measure(str(at), rows, labels[:, at].astype(float)) for at in range(3)]
        alarms += bool(departures([*measures, Measure("mean confidence", rows, confidence)]).found)
    assert alarms == 0


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_a_week_with_three_times_the_phishing_is_found_in_every_archive(share: float) -> None:
    chance = np.random.default_rng(11)
    for _ in range(100):
        odd = int(chance.integers(12))
        hits = np.array([chance.binomial(500, share if at == odd else share / 3) for at in range(12)])
        assert found(Measure("phishing", np.full(12, 500), hits.astype(float))) == [(odd, [0])]


def test_days_add_up_to_weeks_exactly_whatever_the_batches() -> None:
    chance = random.Random(3)
    seconds = np.array([MONDAY + chance.randrange(10 * WEEK_S) for _ in range(5_000)])
    values = np.array([chance.randrange(8) / 8 for _ in range(5_000)])
    line, daily = Timeline(), Daily()
    for start in range(0, 5_000, 700):
        some = slice(start, start + 700)
        line.add(seconds[some], np.zeros(len(seconds[some]), np.int64))
        daily.add(seconds[some], values[some])
    bars = line.bars(1, PERIODS)
    assert bars is not None
    assert bars.unit.name == "week"
    rows, sums = daily.by(bars)
    week = (seconds - MONDAY) // WEEK_S
    assert rows.tolist() == np.bincount(week).tolist() == bars.counts[:, 0].tolist()
    assert sums.tolist() == np.bincount(week, values).tolist()


@pytest.mark.parametrize(
    ("days", "unit"), [(20, "day"), (40, "week"), (600, "week"), (900, "month"), (7_000, "quarter"), (30_000, "year")]
)
def test_periods_are_weeks_unless_there_are_too_few_or_too_many(days: int, unit: str) -> None:
    line = Timeline()
    line.add(MONDAY + np.linspace(0, days * DAY_S, 500).astype(np.int64), np.zeros(500, np.int64))
    bars = line.bars(1, PERIODS)
    assert bars is not None
    assert bars.unit.name == unit


def test_of_many_rows_some_are_looked_at_for_unknown_pieces() -> None:
    asked: list[str] = []

    def count(texts: Sequence[str]) -> list[tuple[int, int]]:
        asked.extend(texts)
        return [(4, len(text)) for text in texts]

    pieces = Pieces(count, 3 * MOST_TEXTS - 1)
    pieces.add(np.arange(1, 7), np.array([MONDAY] * 5 + [NEVER]), pa.array([*"abcd", None, "f"], pa.large_string()))
    assert (pieces.every, asked) == (3, ["c"])
    few = Pieces(count, MOST_TEXTS)
    few.add(np.arange(1, 4), np.full(3, MONDAY), pa.array(["a", None, "abc"], pa.large_string()))
    line = Timeline()
    line.add(np.array([MONDAY]), np.array([0]))
    bars = line.bars(1, PERIODS)
    assert bars is not None
    assert [values.tolist() for values in few.share.by(bars)] == [[3], [1.0]]


def dated(week: int, number: int, label: str, probability: float = 0.95) -> Line:
    at = np.datetime64(MONDAY + week * WEEK_S + number * 60, "s")
    return row(number, label, received_at=f"{at}Z", probability=probability)


def test_the_page_names_the_week_and_what_changed(tmp_path: Path) -> None:
    rows = [
        dated(week, at, "phishing" if at % 10 < (5 if week == 7 else 1) else "ham", 0.6 if week == 3 else 0.95)
        for week in range(12)
        for at in range(300)
    ]
    page = report_on(tmp_path, rows)
    assert "2 weeks are unlike the others:" in page
    assert "Week from 23 Mar 2026 (300 rows): confidence 0.600 instead of 0.950." in page
    assert "Week from 20 Apr 2026 (300 rows): ham 50.0% instead of 90.0%, phishing 50.0% instead of 10.0%." in page
    assert "Unknown pieces are counted by `sluice backfill --local`" in page


def test_the_page_says_that_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "BATCH_ROWS", 333)
    page = report_on(tmp_path, [dated(week, at, ("ham", "spam")[at % 2]) for week in range(6) for at in range(100)])
    assert "No week is unlike the others." in page


def test_an_archive_of_an_hour_is_not_compared(tmp_path: Path) -> None:
    page = report_on(tmp_path, [dated(0, at, ("ham", "spam")[at % 2]) for at in range(60)])
    assert "The rows are of fewer than 3 days: too few to compare." in page
