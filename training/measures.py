"""The figures by which a classifier is judged, from sums over messages: so that a resample costs one matrix product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sluice.training.predictions import BAD, PHISHING, Predictions
from sluice.worker.model.labels import HAM

ECE_BINS = 10
"""Of equal width, over the probability of the most likely label."""


@dataclass(frozen=True)
class Measure:
    """How one figure is called and shown."""

    name: str
    title: str
    meaning: str
    percent: bool


MEASURES = {
    one.name: one
    for one in (
        Measure("accuracy", "accuracy", "share of right labels", percent=False),
        Measure("macro_f1", "macro-F1", "mean F1 over the labels that occur", percent=False),
        Measure("ham_blocked", "ham blocked", "share of ham called spam or phishing", percent=True),
        Measure("bad_blocked", "bad blocked", "share of spam and phishing called either", percent=True),
        Measure("phishing_recall", "phishing recall", "share of phishing called so", percent=True),
        Measure("ece", "ECE", f"expected calibration error, {ECE_BINS} bins", percent=False),
        Measure("verdict_ham_flagged", "ham flagged", "share of ham flagged or blocked", percent=True),
        Measure("verdict_ham_blocked", "ham blocked", "share of ham blocked", percent=True),
        Measure("verdict_bad_flagged", "bad flagged", "share of the bad flagged or blocked", percent=True),
        Measure("verdict_bad_blocked", "bad blocked", "share of the bad blocked", percent=True),
        Measure("kept", "still blocked", "of the bad blocked plain, share blocked disguised", percent=True),
    )
}
BY_LABEL = ("macro_f1", "ham_blocked", "bad_blocked", "phishing_recall", "ece")
"""Of the most likely label: the columns of the first table."""
BY_VERDICT = ("verdict_ham_flagged", "verdict_ham_blocked", "verdict_bad_flagged", "verdict_bad_blocked")
"""At the thresholds of the model's folder: the columns of the second."""


def applicable(predictions: Predictions) -> tuple[str, ...]:
    """The measures that mean something for these messages and these labels."""
    there = {
        "ham_blocked": HAM in predictions.labels
        and bool(set(BAD) & set(predictions.labels))
        and bool(predictions.good.any()),
        "bad_blocked": bool(predictions.bad.any()),
        "phishing_recall": bool(predictions.of(PHISHING).any()),
        "kept": False,  # of two pools: training/disguises.py
    }
    there["verdict_ham_flagged"] = there["verdict_ham_blocked"] = bool(predictions.thresholds) and there["ham_blocked"]
    there["verdict_bad_flagged"] = there["verdict_bad_blocked"] = bool(predictions.thresholds) and there["bad_blocked"]
    return tuple(name for name in MEASURES if there.get(name, True))


class MeasureSums:
    """What is summed of each message, and the measures that follow from the sums."""

    def __init__(self, predictions: Predictions) -> None:
        self.names = applicable(predictions)
        self.messages = len(predictions.truth)
        self._labels = len(predictions.labels)
        self._parts: dict[str, slice] = {}
        columns: list[np.ndarray] = []
        for name, part in _columns(predictions, self.names).items():
            at = sum(one.shape[1] for one in columns)
            columns.append(part.astype(float))
            self._parts[name] = slice(at, at + part.shape[1])
        self.columns = np.concatenate(columns, axis=1)
        """float64, (messages, sums)."""

    def figures(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Each measure, (samples,), from `sums`, (samples, sums); NaN where a sample has no message for it."""
        part = {name: sums[:, at] for name, at in self._parts.items()}
        messages = part["messages"][:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            result = {
                "accuracy": part["right"].sum(axis=1) / messages,
                "macro_f1": _macro_f1(part["right"], part["said"], part["there"]),
                "ece": np.abs(part["gaps"]).sum(axis=1) / messages,
            }
            for name in self.names:
                if name in part:
                    result[name] = part[name][:, 0] / part[name][:, 1]
        return {name: result[name] for name in self.names}

    def share(self, name: str) -> tuple[int, int] | None:
        """(counted, of) where the measure is a plain share of messages, else None."""
        if name == "accuracy":
            return int(self.columns[:, self._parts["right"]].sum()), self.messages
        if name not in self._parts:
            return None
        hits, among = self.columns[:, self._parts[name]].sum(axis=0)
        return int(hits), int(among)


def bins(predictions: Predictions) -> np.ndarray:
    """The bin of each message, from 0, by the probability of its most likely label."""
    return np.minimum((predictions.stated * ECE_BINS).astype(int), ECE_BINS - 1)


def _columns(predictions: Predictions, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """What to sum, by name; each (messages, sums of that name)."""
    labels = np.eye(len(predictions.labels))
    there, said = labels[predictions.truth], labels[predictions.guess]
    columns = {
        "messages": np.ones((len(predictions.truth), 1)),
        "there": there,
        "said": said,
        "right": there * said,
        "gaps": np.eye(ECE_BINS)[bins(predictions)] * (predictions.stated - predictions.right)[:, None],
    }
    shares = {
        "ham_blocked": (predictions.good, predictions.called_bad),
        "bad_blocked": (predictions.bad, predictions.called_bad),
        "phishing_recall": (predictions.of(PHISHING), predictions.right),
        "verdict_ham_flagged": (predictions.good, predictions.flagged),
        "verdict_ham_blocked": (predictions.good, predictions.blocked),
        "verdict_bad_flagged": (predictions.bad, predictions.flagged),
        "verdict_bad_blocked": (predictions.bad, predictions.blocked),
    }
    for name, (among, hit) in shares.items():
        if name in names:
            columns[name] = np.stack([among & hit, among], axis=1)
    return columns


def _macro_f1(right: np.ndarray, said: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Mean F1, (samples,), over the labels that occur in each sample; all (samples, labels)."""
    f1 = np.where(there > 0, 2 * right / (said + there), 0.0)
    mean: np.ndarray = f1.sum(axis=1) / (there > 0).sum(axis=1)
    return mean
