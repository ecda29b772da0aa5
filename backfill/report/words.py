"""How counts, times and durations are written."""

from __future__ import annotations

from datetime import UTC, datetime

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def percent(part: int, whole: int) -> str:
    """A share: ``12.3%``, and never 0% or 100% for what is not."""
    if whole == 0:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "<0.1%"
    if 99.9 < share < 100:
        return ">99.9%"
    return f"{share:.1f}%"


def rows(count: int) -> str:
    """``1 row``, ``2,000 rows``."""
    return plural(count, "row")


def plural(count: int, noun: str) -> str:
    """A count with its noun, whose plural takes an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def rate(rows_: float, seconds: float) -> str:
    """Rows a second with about three digits."""
    if seconds <= 0:
        return "–"
    value = rows_ / seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, big, small, name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size} {big}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"


def day(seconds: int) -> str:
    """The date of a time in seconds since 1970: ``5 Nov 2026``."""
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def minute(seconds: float) -> str:
    """The same with hours and minutes."""
    return f"{day(int(seconds))} {datetime.fromtimestamp(seconds, UTC):%H:%M}"


def span(first: int, last: int) -> str:
    """From one time to another, with as much of the clock as it takes to tell them apart."""
    dates_only = first % 86_400 == last % 86_400 == 0
    if last - first >= 2 * 86_400 or dates_only:
        return day(first) if first == last else f"{day(first)} to {day(last)}"
    if first == last:
        return f"{minute(first)}:{first % 60:02}"
    clock = "%H:%M:%S" if last - first < 600 else "%H:%M"
    begin, end = (f"{datetime.fromtimestamp(at, UTC):{clock}}" for at in (first, last))
    return f"{day(first)} {begin} to " + (end if day(first) == day(last) else f"{day(last)} {end}")
