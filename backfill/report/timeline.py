"""Labels over the time at which messages came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

DAY_S = 86_400
#: Steps in which times are counted, from the finest one on, coarser when there are too many.
STEPS_S = (1, 60, 3600, DAY_S)
#: A bar is not shorter than what the times are given in: archives often leave out seconds, or all but the date.
GRAINS_S = (DAY_S, 3600, 60, 1)
#: Most counters that are kept; single days are kept however many there are.
MAX_COUNTERS = 60_000
#: Most bars that a picture has.
MAX_BARS = 90
#: If leaving out so many of the earliest and of the latest shortens the span a lot, they are strays.
STRAYS = 0.001
STRAYS_MATTER = 4


@dataclass(frozen=True, slots=True)
class Unit:
    """A length of bars: so many seconds, or else so many calendar months.

    Attributes:
        steps: bars from one name under them to the next that make round times.
    """

    name: str
    seconds: int = 0
    months: int = 0
    steps: tuple[int, ...] = ()

    def floor(self, seconds: np.ndarray) -> np.ndarray:
        """The start of the bar that each time (seconds since 1970) is in; weeks begin on Monday."""
        if self.months:
            months = seconds.astype("M8[s]").astype("M8[M]").astype(np.int64)
            months = months // self.months * self.months
            return months.astype("M8[M]").astype("M8[s]").astype(np.int64)
        shift = 4 * DAY_S if self.seconds == 7 * DAY_S else 0  # 1970 began on a Thursday
        return (seconds - shift) // self.seconds * self.seconds + shift

    def number(self, start: int) -> int:
        """The number of the bar that begins at ``start``, counted from 1970."""
        if self.months:
            return int(np.datetime64(start, "s").astype("M8[M]").astype(np.int64)) // self.months
        return start // self.seconds

    def starts(self, first: int, last: int) -> np.ndarray:
        """The starts of all bars from the one with ``first`` to the one with ``last``."""
        begin, end = self.floor(np.array([first, last]))
        if self.months:
            months = np.arange(begin.astype("M8[s]").astype("M8[M]"), end.astype("M8[s]").astype("M8[M]") + 1)
            return months[:: self.months].astype("M8[s]").astype(np.int64)
        return np.arange(begin, end + 1, self.seconds)


UNITS = (
    Unit("second", 1, steps=(1, 2, 5, 10, 15)),
    Unit("10 seconds", 10, steps=(1, 3, 6, 12)),
    Unit("minute", 60, steps=(1, 2, 5, 10, 15)),
    Unit("10 minutes", 600, steps=(1, 3, 6, 12, 18)),
    Unit("hour", 3600, steps=(1, 2, 3, 6, 12, 24)),
    Unit("6 hours", 6 * 3600, steps=(1, 2, 4, 8, 12, 16)),
    Unit("day", DAY_S, steps=(1, 2, 7, 14)),
    Unit("week", 7 * DAY_S, steps=(1, 2, 4, 8, 13)),
    Unit("month", months=1, steps=(1, 2, 3, 6, 12, 24)),
    Unit("quarter", months=3, steps=(1, 2, 4, 8, 12, 20)),
    Unit("year", months=12, steps=(1, 2, 5, 10, 20)),
)


#: Lengths of bars with the most bars that a picture has of each; the first one that suffices is taken.
BARS = tuple((unit, MAX_BARS) for unit in UNITS)
#: The same where parts of a span are compared: weeks, unless there are too few or too many of them.
PERIODS = tuple(
    (unit, 28 if unit.name == "day" else MAX_BARS) for unit in UNITS if unit.months or unit.seconds >= DAY_S
)


@dataclass(frozen=True, slots=True)
class Bars:
    """What a picture shows.

    Attributes:
        unit: how long a bar is.
        starts: shape (bars,), seconds since 1970, without gaps.
        counts: shape (bars, labels).
        outside: rows that came before the first bar or after the last.
        span: the first and the last time that is not ``outside``, to the second unless there are strays.
    """

    unit: Unit
    starts: np.ndarray
    counts: np.ndarray
    outside: int
    span: tuple[int, int]

    def places(self, seconds: np.ndarray) -> np.ndarray:
        """Shape (times,): the bar that each time is in, -1 for none."""
        place = np.searchsorted(self.starts, self.unit.floor(seconds))
        inside = (seconds >= self.starts[0]) & (place < len(self.starts))
        return np.where(inside, place, -1)


class Timeline:
    """Counts rows by time and label without knowing beforehand how long the time is."""

    def __init__(self) -> None:
        self._step = 0
        self._counts: Counter[tuple[int, int]] = Counter()
        self.first: int | None = None
        self.last: int | None = None

    def add(self, seconds: np.ndarray, labels: np.ndarray) -> None:
        """Count rows at ``seconds`` since 1970 with the numbers of their labels; shapes (rows,)."""
        if not len(seconds):
            return
        low, high = int(seconds.min()), int(seconds.max())
        self.first = low if self.first is None else min(self.first, low)
        self.last = high if self.last is None else max(self.last, high)
        step = STEPS_S[self._step]
        keys, counts = np.unique(np.stack([seconds // step, labels]), axis=1, return_counts=True)
        for start, label, count in zip(*keys.tolist(), counts.tolist(), strict=True):
            self._counts[start, label] += count
        while len(self._counts) > MAX_COUNTERS and self._step < len(STEPS_S) - 1:
            self._coarsen()

    def _coarsen(self) -> None:
        ratio = STEPS_S[self._step + 1] // STEPS_S[self._step]
        coarse: Counter[tuple[int, int]] = Counter()
        for (start, label), count in self._counts.items():
            coarse[start // ratio, label] += count
        self._counts = coarse
        self._step += 1

    def bars(self, labels: int, units: Sequence[tuple[Unit, int]] = BARS) -> Bars | None:
        """Bars of one of ``units``, over the span of all rows but a few strays; None without any row.

        Args:
            units: lengths of bars, from the shortest on, with the most bars that there may be of each.
        """
        if self.first is None or self.last is None:
            return None
        keys = np.array(list(self._counts), np.int64)
        starts, label, counts = (
            keys[:, 0] * STEPS_S[self._step],
            keys[:, 1],
            np.fromiter(self._counts.values(), np.int64),
        )
        shortest = next(grain for grain in GRAINS_S if not (starts % grain).any())
        first, last = _span(starts, counts)
        unit = next(
            unit
            for unit, most in units
            if (unit.months or unit.seconds >= shortest) and _bars(unit, first, last) <= most
        )
        bars = Bars(unit, unit.starts(first, last), np.zeros((0, labels), np.int64), 0, (first, last))
        place = bars.places(starts)
        inside = place >= 0
        table = np.zeros((len(bars.starts), labels), np.int64)
        np.add.at(table, (place[inside], label[inside]), counts[inside])
        outside = int(counts[~inside].sum())
        return replace(bars, counts=table, outside=outside, span=bars.span if outside else (self.first, self.last))


def _bars(unit: Unit, first: int, last: int) -> int:
    """How many bars of ``unit`` there would be, without making them."""
    return (last - first) // (unit.seconds or unit.months * 30 * DAY_S) + 1


def _span(starts: np.ndarray, counts: np.ndarray) -> tuple[int, int]:
    """The first and the last time to show: a wrong clock of a few messages shall not squeeze all others."""
    order = np.argsort(starts)
    starts, upto = starts[order], np.cumsum(counts[order])
    whole = int(starts[0]), int(starts[-1])
    low = int(starts[np.searchsorted(upto, STRAYS * upto[-1], side="right")])
    high = int(starts[np.searchsorted(upto, (1 - STRAYS) * upto[-1])])
    return (low, high) if (whole[1] - whole[0]) > STRAYS_MATTER * max(high - low, DAY_S) else whole
