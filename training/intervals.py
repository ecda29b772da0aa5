"""How far figures can be trusted: bootstrap intervals, seeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from sluice.training.measures import MeasureSums
from sluice.training.predictions import Predictions

SAMPLES = 1000
SEED = 20261130
LEVEL = 0.95
CELLS = 4_000_000
"""Weights that are drawn at a time, which bounds memory."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval; `of` is the number of messages that it is a share or mean of."""

    value: float
    low: float
    high: float
    of: int

    def as_dict(self) -> dict[str, float]:
        """For JSON; rounded to four digits."""
        return {
            "value": round(self.value, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "of": self.of,
        }


def estimates(predictions: Predictions) -> dict[str, Estimate]:
    """Every applicable measure with its percentile interval over resampled messages (Efron 1979).

    Two exceptions, where the plain bootstrap misleads. A share of 0 or 1 never varies in a resample: it gets the
    exact binomial interval (Clopper and Pearson 1934). The calibration error of a resample is larger than that of its
    sample, for the same gaps are met with more noise: its interval is moved by the mean difference.
    """
    sums = MeasureSums(predictions)
    values = sums.figures(sums.columns.sum(axis=0, keepdims=True))
    spread = sums.figures(resampled(sums.columns))
    return {name: _estimate(sums, name, float(values[name][0]), spread[name]) for name in sums.names}


def differences(first: Predictions, second: Predictions) -> dict[str, Estimate]:
    """`first` less `second`, two models on the same messages: the resamples are the same for both (paired)."""
    both = MeasureSums(first), MeasureSums(second)
    names = [name for name in both[0].names if name in both[1].names]
    at = [sums.figures(sums.columns.sum(axis=0, keepdims=True)) for sums in both]
    spread = [sums.figures(resampled(sums.columns)) for sums in both]
    result = {}
    for name in names:
        share = both[0].share(name)
        low, high = percentiles(spread[0][name] - spread[1][name])
        difference = float(at[0][name][0] - at[1][name][0])
        result[name] = Estimate(difference, low, high, share[1] if share else both[0].messages)
    return result


def resampled(columns: np.ndarray, samples: int = SAMPLES, seed: int = SEED) -> np.ndarray:
    """Sums over `samples` resamples of the messages, drawn with replacement; (samples, columns).

    The same number of messages gets the same resamples, whatever the columns hold.
    """
    rng = np.random.default_rng(seed)
    messages = len(columns)
    evenly = np.full(messages, 1 / messages)
    step = max(1, CELLS // messages)
    sums = [
        rng.multinomial(messages, evenly, size=min(step, samples - start)) @ columns
        for start in range(0, samples, step)
    ]
    return np.concatenate(sums)


def percentiles(values: np.ndarray) -> tuple[float, float]:
    """The middle 95% of `values`, those that are NaN left out."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    return float(low), float(high)


def exact(hits: int, of: int) -> tuple[float, float]:
    """The exact binomial interval of a share."""
    interval = binomtest(hits, of).proportion_ci(LEVEL, method="exact")
    return float(interval.low), float(interval.high)


def share(hits: int, of: int) -> Estimate:
    """A share with its exact interval."""
    return Estimate(hits / of, *exact(hits, of), of)


def _estimate(sums: MeasureSums, name: str, value: float, spread: np.ndarray) -> Estimate:
    counted = sums.share(name)
    if counted is not None and counted[0] in (0, counted[1]):
        return share(*counted)
    if name == "ece":
        spread = spread - (spread.mean() - value)
    low, high = percentiles(spread)
    return Estimate(value, max(0.0, low), min(1.0, high), counted[1] if counted else sums.messages)


def as_json(found: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    """For metrics.json."""
    return {name: one.as_dict() for name, one in found.items()}
