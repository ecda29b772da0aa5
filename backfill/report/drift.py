"""Which weeks do not look like the others: in their shares of labels, or in how sure the model is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Chance that anything is told of an archive whose rows lie in their weeks in random order.
FALSE_ALARM = 0.001
#: What is told is no trifle either: the odds have at least doubled or halved, by half a point of a hundred or more.
ODDS, POINTS = 2.0, 0.005
#: Fewest periods of which one can be told to be unlike the others.
MIN_PERIODS = 3


@dataclass(frozen=True, slots=True)
class Measure:
    """A mean of values from 0 to 1 (a share, a probability) in each period.

    Attributes:
        rows: shape (periods,), rows of each period, 0 where there is none.
        sums: shape (periods,), the sums of their values.
    """

    name: str
    rows: np.ndarray
    sums: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """Shape (periods,); NaN without rows."""
        return np.divide(self.sums, self.rows, out=np.full(len(self.rows), math.nan), where=self.rows > 0)


@dataclass(frozen=True, slots=True)
class Departure:
    """A period that is unlike the others.

    Attributes:
        period: its number.
        measures: the numbers of the measures that are, and the mean of the periods that are like each other.
    """

    period: int
    measures: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Drift:
    """What ``departures`` found.

    Attributes:
        found: the unlike periods in order of time.
        scattered: half of the periods were told apart, and the rest still differ: there are no "others".
    """

    found: list[Departure]
    scattered: bool = False


def departures(measures: Sequence[Measure]) -> Drift:
    """The periods that are unlike the others.

    The one that is furthest off (from the median of the periods) goes first, then the rest is looked at without it, so
    that it spoils no comparison (B. Rosner, "Percentage points for a generalized ESD many-outlier procedure",
    Technometrics 25, 1983). A period is off where its mean is away from that of the others by more than a trifle and by
    more than chance: of n values from 0 to 1 that are drawn at random from all rows, without replacement, the mean is
    as far away as x from their mean m with probability at most 2 exp(-n KL(x, m)) (W. Hoeffding, "Probability
    inequalities for sums of bounded random variables", JASA 58, 1963, theorems 1 and 4). That bound over all measures
    and periods together is FALSE_ALARM, for any number of rows.

    Args:
        measures: of the same periods.
    """
    kept = np.any([measure.rows > 0 for measure in measures], axis=0)
    periods = int(kept.sum())
    if periods < MIN_PERIODS:
        return Drift([])
    limit = math.log(2 * periods * len(measures) / FALSE_ALARM)
    gone: list[int] = []
    scattered = False
    while True:
        excess = np.array([_excess(measure, kept) for measure in measures]) - limit
        if excess.max() < 0:
            break
        off = np.array([_off_median(measure, kept) for measure in measures])
        worst = int(np.where(excess >= 0, off, -1).max(axis=0).argmax())
        if len(gone) >= (periods - 1) // 2:
            scattered = True
            break
        gone.append(worst)
        kept[worst] = False
    found = [_departure(measures, kept, period, limit) for period in sorted(gone)]
    return Drift([departure for departure in found if departure.measures], scattered)


def _departure(measures: Sequence[Measure], kept: np.ndarray, period: int, limit: float) -> Departure:
    """What is off in ``period`` compared with those that are ``kept``."""
    among = kept.copy()
    among[period] = True
    found = []
    for number, measure in enumerate(measures):
        if _excess(measure, among)[period] >= limit:
            found.append((number, float(measure.sums[kept].sum() / measure.rows[kept].sum())))
    return Departure(period, found)


def _excess(measure: Measure, among: np.ndarray) -> np.ndarray:
    """Shape (periods,): n KL(x, m) of the periods ``among``; -inf for others, and where it is a trifle."""
    rows, sums = np.where(among, measure.rows, 0), np.where(among, measure.sums, 0.0)
    others = rows.sum() - rows
    judged = (rows > 0) & (others > 0)
    excess = np.full(len(rows), -math.inf)
    if judged.any():
        mean = sums[judged] / rows[judged]
        rest = (sums.sum() - sums[judged]) / others[judged]
        far = (np.abs(mean - rest) >= POINTS) & (np.abs(_log_odds(mean) - _log_odds(rest)) >= math.log(ODDS))
        distance = rows[judged] * _divergence(mean, np.full(len(mean), sums.sum() / rows.sum()))
        excess[judged] = np.where(far, distance, -math.inf)
    return excess


def _off_median(measure: Measure, among: np.ndarray) -> np.ndarray:
    """Shape (periods,): how far the log odds of each period are from the median of those ``among``."""
    odds = _log_odds((measure.sums + 0.5) / (measure.rows + 1))
    judged = among & (measure.rows > 0)
    return np.abs(odds - np.median(odds[judged])) if judged.any() else np.zeros(len(odds))


def _log_odds(mean: np.ndarray) -> np.ndarray:
    tiny = 1e-9  # a share of none or all has no odds
    return np.log(np.clip(mean, tiny, 1)) - np.log(np.clip(1 - mean, tiny, 1))


def _divergence(mean: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Kullback and Leibler's divergence of two coins, in nats; both shapes (periods,)."""

    def part(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        ratio = np.divide(p, q, out=np.ones_like(p), where=(p > 0) & (q > 0))
        return p * np.log(ratio)

    mean, reference = np.clip(mean, 0, 1), np.clip(reference, 0, 1)
    return part(mean, reference) + part(1 - mean, 1 - reference)
