"""Calibration of a finished model: its temperature, and the probabilities from which on its labels are acted on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest
from sklearn.isotonic import IsotonicRegression

from sluice.training.measures import MeasureSums
from sluice.training.pools import Pool
from sluice.training.predictions import BAD, Predictions
from sluice.worker.model.card import CARD_FILE
from sluice.worker.model.labels import HAM
from sluice.worker.model.thresholds import Threshold, Thresholds

MAX_HAM_BLOCKED = 0.005
"""Of all ham, by the labels together."""
SURE = 0.8
"""How sure the data must be that no more ham is blocked than that."""
COLDEST, HOTTEST = 0.2, 5.0
DECIMALS = 4
"""Of what is written."""
EVEN = 0.5


@dataclass(frozen=True)
class Calibration:
    """What was fitted, on how many messages, and what it changes there."""

    temperature: float
    thresholds: Thresholds
    messages: int
    ham: int
    ece_before: float
    ece_after: float
    nll_before: float
    """Mean negative log-likelihood of the right labels, in nats."""
    nll_after: float
    max_ham_blocked: float
    notes: tuple[str, ...]
    """What the data could not decide, one sentence each."""


def calibrate(
    predictions: Predictions, temperature: float = 1.0, max_ham_blocked: float = MAX_HAM_BLOCKED
) -> tuple[Calibration, Predictions]:
    """Fits on messages that the model has not learned from; returns what was fitted, and the predictions it leads to.

    The temperature is the one with the least negative log-likelihood (Guo et al. 2017, arXiv:1706.04599). Thresholds
    are chosen on what it leads to, for spam and phishing each. Flagged is what is more likely bad than not: from
    the probability on at which isotonic regression of "is bad" (Zadrozny and Elkan 2002) reaches one half, among
    messages whose likelier bad label this is. Blocked is from the lowest probability on, not below flag, at which the
    labels together block a share of ham that is below `max_ham_blocked` with 80% confidence (exact binomial limit).

    Args:
        predictions: with probabilities at `temperature`, the one that the model has now.
    """
    factor = _factor(predictions)
    notes = [] if factor is not None else ["The temperature stays: these messages hold too few errors to fit it by."]
    new = replace(predictions, probabilities=rescaled(predictions.probabilities, factor or 1.0), thresholds={})
    thresholds = _thresholds(new, max_ham_blocked, notes)
    result = replace(new, thresholds=thresholds)
    return Calibration(
        temperature=round(temperature * (factor or 1.0), 4),
        thresholds=thresholds,
        messages=len(predictions.truth),
        ham=int(predictions.good.sum()),
        ece_before=_ece(predictions),
        ece_after=_ece(new),
        nll_before=_loss(np.log(_floored(predictions.probabilities)), predictions.truth),
        nll_after=_loss(np.log(_floored(new.probabilities)), predictions.truth),
        max_ham_blocked=max_ham_blocked,
        notes=tuple(notes),
    ), result


def rescaled(probabilities: np.ndarray, factor: float) -> np.ndarray:
    """Probabilities, (messages, labels), as they are when the temperature is `factor` times as high."""
    if factor == 1.0:
        return probabilities
    result: np.ndarray = softmax(np.log(_floored(probabilities)) / factor, axis=1)
    return result


def write_calibration(folder: Path, found: Calibration, pools: Sequence[Pool]) -> None:
    """Puts temperature, thresholds and what they were fitted on into the folder's sluice.json; all else stays.

    Raises:
        ValueError: the file holds no JSON object.
        OSError: it cannot be read or written.
    """
    path = folder / CARD_FILE
    facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not isinstance(facts, dict):
        raise ValueError(f"{path} holds no JSON object")
    facts |= as_json(found, pools)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    part.replace(path)


def as_json(found: Calibration, pools: Sequence[Pool]) -> dict[str, Any]:
    """The fields of sluice.json."""
    return {
        "temperature": found.temperature,
        "thresholds": stated(found.thresholds),
        "calibration": {
            "data": [{"file": pool.file, "sha256": pool.sha256, "messages": len(pool.examples)} for pool in pools],
            **{
                name: round(value, DECIMALS) if isinstance(value, float) else value
                for name, value in asdict(found).items()
                if name not in ("temperature", "thresholds")
            },
        },
    }


def stated(thresholds: Thresholds) -> dict[str, dict[str, float]]:
    """Thresholds as sluice.json holds them: without what never happens."""
    limits = {label: one.as_json().items() for label, one in thresholds.items()}
    return {label: {name: limit for name, limit in pairs if limit is not None} for label, pairs in limits.items()}


def _factor(predictions: Predictions) -> float | None:
    """By what the temperature has to be multiplied; None where the best is at the end of what is searched."""
    logits = np.log(_floored(predictions.probabilities))
    ends = np.log([COLDEST, HOTTEST])
    found = minimize_scalar(
        lambda log_factor: _loss(logits / np.exp(log_factor), predictions.truth), bounds=tuple(ends), method="bounded"
    )
    return None if np.abs(ends - found.x).min() < 0.01 else float(np.exp(found.x))


def _loss(logits: np.ndarray, truth: np.ndarray) -> float:
    return float(-log_softmax(logits, axis=1)[np.arange(len(truth)), truth].mean())


def _floored(probabilities: np.ndarray) -> np.ndarray:
    """In double precision, and none of them so small that it has no logarithm."""
    return np.maximum(np.asarray(probabilities, dtype=np.float64), np.finfo(np.float32).tiny)


def _ece(predictions: Predictions) -> float:
    sums = MeasureSums(predictions)
    return float(sums.figures(sums.columns.sum(axis=0, keepdims=True))["ece"][0])


def _thresholds(predictions: Predictions, max_ham_blocked: float, notes: list[str]) -> Thresholds:
    """By label, for spam and phishing as far as the model has them; `notes` gets what could not be decided."""
    labels = [label for label in BAD if label in predictions.labels]
    if HAM not in predictions.labels or not labels:
        return {}
    if not predictions.good.any():
        notes.append("There are no thresholds: the messages hold no ham.")
        return {}
    ham = int(predictions.good.sum())
    allowed = _allowed(ham, max_ham_blocked)
    if allowed is None:
        notes.append(
            f"{ham:,} ham are too few to vouch for {max_ham_blocked:.1%} of ham blocked ({_needed(max_ham_blocked):,} "
            "are needed): each label blocks from above the ham with its highest probability on."
        )
    columns = [predictions.labels.index(label) for label in labels]
    shown = np.round(predictions.probabilities[:, columns].astype(float), DECIMALS)
    kept = _kept(shown[predictions.good], allowed or 0)
    found = {}
    for label, probabilities, highest in zip(labels, shown.T, kept.max(axis=0, initial=0), strict=True):
        flag = _flag(predictions, label, probabilities)
        if flag is None:
            notes.append(f"{label} is flagged from {EVEN} on: too few messages are near it to choose by.")
            flag = EVEN
        block = round(float(highest) + 10**-DECIMALS, DECIMALS)
        if block > 1:
            notes.append(f"{label} is never blocked: ham reaches its highest probability.")
        found[label] = Threshold(flag, max(flag, block) if block <= 1 else None)
    return found


def _flag(predictions: Predictions, label: str, probabilities: np.ndarray) -> float | None:
    """From which probability on messages are more likely bad than not; None where both kinds are not there."""
    others = [predictions.probabilities[:, predictions.labels.index(one)] for one in BAD if one in predictions.labels]
    likelier = predictions.probabilities[:, predictions.labels.index(label)] >= np.max(others, axis=0)
    rows = likelier & (predictions.good | predictions.bad)
    if not predictions.good[rows].any() or not predictions.bad[rows].any():
        return None
    curve = IsotonicRegression(out_of_bounds="clip").fit(probabilities[rows], predictions.bad[rows])
    grid = np.linspace(0, 1, 1001)
    above = grid[curve.predict(grid) >= EVEN]
    return round(float(above[0]), DECIMALS) if len(above) and above[0] > 0 else None


def _kept(ham: np.ndarray, allowed: int) -> np.ndarray:
    """The ham that must not be blocked: all of `ham`, (messages, labels), but the `allowed` that look worst."""
    order = np.argsort(-ham.max(axis=1), kind="stable")
    return ham[order[allowed:]]


def _allowed(ham: int, share: float) -> int | None:
    """The most ham blocked, of `ham`, that leave no doubt of a share below `share`; None when even none leaves it."""
    if _limit(0, ham) > share:
        return None
    allowed = 0
    while allowed < ham and _limit(allowed + 1, ham) <= share:
        allowed += 1
    return allowed


def _limit(blocked: int, ham: int) -> float:
    """The share that the true one is below, with SURE confidence."""
    return float(binomtest(blocked, ham, alternative="less").proportion_ci(SURE, method="exact").high)


def _needed(share: float) -> int:
    """Ham of which none may be blocked, to be SURE of a share below `share`."""
    return int(np.ceil(np.log(1 - SURE) / np.log1p(-share)))
