"""The times of messages, as archives write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.report.times import NEVER, Times

NOON = int(datetime(2026, 11, 5, 12, 34, 56, tzinfo=UTC).timestamp())

FIRST = datetime(1990, 1, 1, tzinfo=UTC)


def read(*texts: str | None) -> list[int]:
    return Times().seconds(pa.array(texts, pa.large_string())).tolist()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-05T12:34:56",
        "2026-11-05 12:34:56",
        "2026-11-05T12:34:56Z",
        "2026-11-05T12:34:56.789+00:00",
        " 2026-11-05 12:34:56,5 UTC ",
        "2026/11/05 12:34:56",
        "2026-11-05T14:34:56+02:00",
        "2026-11-05T14:34:56+02",
        "2026-11-05T07:04:56-0530",
        "20261105123456",
        "20261105T123456Z",
        "05.11.2026 12:34:56",
        "5.11.2026, 12:34:56",
        "5 Nov 2026 12:34:56",
        "05-Nov-2026 12:34:56",
        "5 November 2026 12:34:56",
        "Nov 5, 2026 12:34:56 PM",
        "Nov 5, 2026, 12:34:56\N{NARROW NO-BREAK SPACE}PM",
        "November 5th, 2026 at 12:34:56 p.m.",
        "Thu, 05 Nov 2026 12:34:56 +0000",
        "Thu Nov  5 12:34:56 2026",
        "Thu Nov  5 12:34:56 UTC 2026",
        "13/11/2026 12:34:56",
        "11/13/2026 12:34:56",
        str(NOON),
        f"{NOON}.25",
        f"{NOON}000",
        f"{NOON}000000",
        f"{NOON}000000000",
    ],
)
def test_one_moment_is_read_in_every_form_it_is_written_in(text: str) -> None:
    later = 8 * 86_400 if "13/" in text else 0
    assert read(text) == [NOON + later]


@pytest.mark.parametrize(
    "text",
    ["yesterday", "12:34", "2026-13-05", "2026-02-29", "2026-06-31 10:00", "2026-11-05 25:00", "0", "1", "-5",
     "32/01/2026", "1985-01-01", "2150-01-01", "99999999999999999999999",
     "nan", "05-11-26", "13:00 PM", "Nov 5, 2026 13:00 PM"],
)  # fmt: skip
def test_what_is_no_time_of_a_message_is_counted_and_not_guessed(text: str) -> None:
    times = Times()
    assert times.seconds(pa.array([text, None, "2026-11-05"], pa.large_string())).tolist()[:2] == [NEVER, NEVER]
    assert (times.read, times.missing, times.unreadable) == (1, 1, 1)


def test_noon_and_midnight_of_a_clock_with_twelve_hours() -> None:
    midnight = int(datetime(2026, 11, 5, tzinfo=UTC).timestamp())
    forms = ["Nov 5, 2026 12:00 AM", "Nov 5, 2026 12:00 PM", "Nov 5, 2026 1:05 pm", "Nov 5, 2026 11:59 am"]
    assert [at - midnight for at in read(*forms)] == [0, 43_200, 47_100, 43_140]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 110 * 365 * 86_400), st.integers(-14 * 60, 14 * 60))
def test_iso_and_mail_dates_of_any_zone_come_out_in_utc(seconds: int, minutes: int) -> None:
    moment = (FIRST + timedelta(seconds=seconds)).astimezone(timezone(timedelta(minutes=minutes)))
    forms = [moment.isoformat(), moment.isoformat(" "), format_datetime(moment)]
    assert read(*forms) == [int(FIRST.timestamp()) + seconds] * 3


def test_dates_with_slashes_are_read_as_the_batch_shows() -> None:
    for texts, order in ((["05/11/2026", "25/11/2026"], "dmy"), (["11/05/2026", "11/25/2026"], "mdy")):
        times = Times()
        seconds = times.seconds(pa.array(texts, pa.large_string()))
        assert (times.order, times.settled) == (order, True)
        days = [datetime.fromtimestamp(at, UTC).date() for at in seconds.tolist()]
        assert days == [date(2026, 11, 5), date(2026, 11, 25)]


def test_dates_with_slashes_that_show_nothing_are_day_first_and_say_so() -> None:
    times = Times()
    times.seconds(pa.array(["05/11/2026"], pa.large_string()))
    assert (times.order, times.settled) == ("dmy", False)


def test_columns_with_types_of_their_own_are_read_too() -> None:
    zoned = datetime(2026, 11, 5, 12, 34, 56, 999_000, UTC)
    at = zoned.replace(tzinfo=None)
    for values in (
        pa.array([at, None], pa.timestamp("us")),
        pa.array([at, None], pa.timestamp("ns")),
        pa.array([zoned, None], pa.timestamp("ms", "Asia/Bangkok")),
        pa.array([NOON * 1000, None], pa.int64()),
        pa.array([NOON + 0.9, None], pa.float64()),
        pa.array(["2026-11-05 12:34:56", None]).dictionary_encode(),
    ):
        assert Times().seconds(values).tolist() == [NOON, NEVER], values.type
    assert Times().seconds(pa.array([date(2026, 11, 5)])).tolist() == [NOON - 45_296]


def test_columns_that_hold_no_times_are_unreadable_and_do_no_harm() -> None:
    for values in (pa.array([True]), pa.array([[1]]), pa.array([b"\xff"]), pa.array([1], pa.time32("s"))):
        times = Times()
        assert times.seconds(values).tolist() == [NEVER]
        assert times.unreadable == 1


def test_an_empty_column_and_a_column_of_nothing() -> None:
    assert read() == []
    assert np.array_equal(Times().seconds(pa.nulls(2, pa.large_string())), [NEVER, NEVER])
