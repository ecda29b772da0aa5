"""What callers want of each message: entries hold what anybody in the envelope asked for, and each gets its own."""

from __future__ import annotations

import pytest

from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions, combined
from sluice.tasks.wire.entry import Prediction, failure

FULL: Prediction = {
    "id": "a",
    "label": "spam",
    "probability": 0.75,
    "model": "m",
    "version": "1",
    "scores": {"ham": 0.25, "spam": 0.75},
    "verdict": "flag",
    "rule": "spam >= 0.5",
}
PLAIN = {"id", "label", "probability", "model", "version"}


@pytest.mark.parametrize(
    ("options", "more"),
    [
        (LABEL_ONLY, set()),
        (PredictionOptions(scores=True), {"scores"}),
        (PredictionOptions(verdict=True), {"verdict", "rule"}),
        (PredictionOptions(scores=True, verdict=True), {"scores", "verdict", "rule"}),
    ],
)
def test_nobody_gets_what_somebody_else_asked_for(options: PredictionOptions, more: set[str]) -> None:
    assert set(options.trimmed(FULL)) == PLAIN | more
    assert set(FULL) == PLAIN | {"scores", "verdict", "rule"}, "an entry is shared, and never changed"


def test_a_failure_has_nothing_to_take_away() -> None:
    assert LABEL_ONLY.trimmed(failure("a", "model_failed", "no")) == failure("a", "model_failed", "no")


def test_an_envelope_holds_what_any_of_its_callers_asked_for() -> None:
    scores, verdict = PredictionOptions(scores=True), PredictionOptions(verdict=True)
    assert combined([LABEL_ONLY, LABEL_ONLY]) == LABEL_ONLY
    assert combined([LABEL_ONLY, scores]) == scores
    assert combined([scores, verdict, LABEL_ONLY]) == PredictionOptions(scores=True, verdict=True)
