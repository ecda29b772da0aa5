"""Curves behind the pictures: reliability, and ROC by language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score, roc_curve

from sluice.training.intervals import exact
from sluice.training.measures import bins
from sluice.training.predictions import Predictions

FEWEST = 10
"""Messages of either kind that a language needs for a curve of its own."""


@dataclass(frozen=True)
class Bin:
    """Messages whose most likely label has a probability in one tenth of the range."""

    messages: int
    stated: float
    """Mean probability."""
    right: float
    """Share of right labels, with its exact 95% interval."""
    low: float
    high: float


@dataclass(frozen=True)
class Roc:
    """Bad against ham, as the bar for the probability of bad falls."""

    ham: int
    bad: int
    area: float
    ham_blocked: tuple[float, ...]
    bad_blocked: tuple[float, ...]


def reliability(predictions: Predictions) -> list[Bin]:
    """The filled ones of ECE_BINS bins of equal width, in rising order."""
    slots = bins(predictions)
    filled = []
    for slot in np.unique(slots):
        rows = slots == slot
        hits, of = int(predictions.right[rows].sum()), int(rows.sum())
        filled.append(Bin(of, float(predictions.stated[rows].mean()), hits / of, *exact(hits, of)))
    return filled


def roc(predictions: Predictions) -> Roc | None:
    """The curve of messages that are ham or bad; None with fewer than FEWEST of either."""
    counted = predictions.rows(predictions.good | predictions.bad)
    ham, bad = int(counted.good.sum()), int(counted.bad.sum())
    if min(ham, bad) < FEWEST:
        return None
    ham_blocked, bad_blocked, _ = roc_curve(counted.bad, counted.badness)
    area = float(roc_auc_score(counted.bad, counted.badness))
    return Roc(ham, bad, area, tuple(ham_blocked.tolist()), tuple(bad_blocked.tolist()))


def roc_by_language(predictions: Predictions) -> tuple[dict[str, Roc], Sequence[str]]:
    """Curves by language, and the languages with too few messages for one."""
    curves = {name: roc(part) for name, part in predictions.by_language().items()}
    return {name: one for name, one in curves.items() if one}, [name for name, one in curves.items() if not one]
