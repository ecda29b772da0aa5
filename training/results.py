"""What one model did on each pool, and beside another model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from sluice.training.intervals import Estimate, differences, estimates
from sluice.training.pools import Pool
from sluice.training.predictions import Predictions
from sluice.training.scores import Scores, score


@dataclass(frozen=True)
class PoolResult:
    """One pool: figures with intervals, as a whole and by language."""

    pool: Pool
    predictions: Predictions
    scores: Scores
    estimates: dict[str, Estimate]
    languages: dict[str, dict[str, Estimate]]


def pool_result(pool: Pool, given: Predictions) -> PoolResult:
    """Computes the figures; some tenths of a second for ten thousand messages."""
    return PoolResult(
        pool,
        given,
        score(pool.examples, given.probabilities, given.labels),
        estimates(given),
        {name: estimates(part) for name, part in given.by_language().items()},
    )


@dataclass(frozen=True)
class Change:
    """Messages to which the two models give different labels."""

    before: str
    after: str
    messages: int
    fixed: int
    """Only the new label is right."""
    broken: int
    """Only the old label is right."""


@dataclass(frozen=True)
class Comparison:
    """A model beside another on one pool."""

    pool: Pool
    differences: dict[str, Estimate]
    """The model's figures less the other's."""
    fixed: int
    broken: int
    p_value: float
    """Two-sided exact McNemar test (1947): fixed and broken equally likely, by the binomial distribution."""
    changes: tuple[Change, ...]


def compare(pool: Pool, model: Predictions, other: Predictions) -> Comparison:
    """Both predictions are of the messages of `pool`, with the same labels in the same order."""
    fixed, broken = int((model.right & ~other.right).sum()), int((other.right & ~model.right).sum())
    p_value = float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0
    rows = np.flatnonzero(model.guess != other.guess)
    pairs = Counter((int(other.guess[row]), int(model.guess[row])) for row in rows)
    changes = []
    for (before, after), messages in pairs.most_common():
        truth = model.truth[rows[(other.guess[rows] == before) & (model.guess[rows] == after)]]
        names = model.labels[before], model.labels[after]
        changes.append(Change(*names, messages, int((truth == after).sum()), int((truth == before).sum())))
    return Comparison(pool, differences(model, other), fixed, broken, p_value, tuple(changes))
