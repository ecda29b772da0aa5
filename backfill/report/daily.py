"""Means of a figure by the day of the message, from which those of weeks and months are made."""

from __future__ import annotations

import numpy as np

from sluice.backfill.report.timeline import DAY_S, Bars


class Daily:
    """Counts and sums of values from 0 to 1 by day: at most one pair a day, however many rows there are."""

    def __init__(self) -> None:
        self._by_day: dict[int, list[float]] = {}

    def add(self, seconds: np.ndarray, values: np.ndarray) -> None:
        """Take in the values of rows at ``seconds`` since 1970; shapes (rows,)."""
        days, place = np.unique(seconds // DAY_S, return_inverse=True)
        counts, sums = np.bincount(place), np.bincount(place, weights=values)
        for day, count, total in zip(days.tolist(), counts.tolist(), sums.tolist(), strict=True):
            kept = self._by_day.setdefault(day, [0, 0.0])
            kept[0] += count
            kept[1] += total

    def by(self, bars: Bars) -> tuple[np.ndarray, np.ndarray]:
        """Counts and sums, shapes (bars,); bars are not shorter than a day."""
        days = np.fromiter(self._by_day, np.int64, len(self._by_day)) * DAY_S
        place = bars.places(days)
        inside = place >= 0
        kept = np.array(list(self._by_day.values()), float).reshape(-1, 2)[inside]
        counts, sums = (np.bincount(place[inside], kept[:, at], minlength=len(bars.starts)) for at in (0, 1))
        return counts.astype(np.int64), sums
