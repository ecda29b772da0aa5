"""Figures computed by hand, the same by scikit-learn, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from sluice.training.curves import reliability, roc_by_language
from sluice.training.intervals import differences, estimates, exact, resampled
from sluice.training.measures import MeasureSums, applicable
from sluice.training.predictions import Predictions
from sluice.worker.model.thresholds import Threshold

LABELS = ("ham", "spam", "phishing")


def made(truth: str, guess: str, stated: float = 0.8, thresholds: dict[str, Threshold] | None = None) -> Predictions:
    """Answers from first letters: each guess has the probability `stated`, the other two labels the rest alike."""
    letters = [label[0] for label in LABELS]
    right = np.array([letters.index(one) for one in truth])
    said = np.array([letters.index(one) for one in guess])
    probabilities = np.full((len(truth), 3), (1 - stated) / 2)
    probabilities[np.arange(len(truth)), said] = stated
    return Predictions(LABELS, right, probabilities, ("en",) * len(truth), thresholds or {})


def figures(predictions: Predictions) -> dict[str, float]:
    sums = MeasureSums(predictions)
    return {name: float(value[0]) for name, value in sums.figures(sums.columns.sum(axis=0, keepdims=True)).items()}


def test_by_hand() -> None:
    found = figures(made("hhhhsspp", "hhhssphp"))
    assert found["accuracy"] == pytest.approx(5 / 8)
    # ham: 3 right, 4 said, 4 there; spam: 1, 2, 2; phishing: 1, 2, 2
    assert found["macro_f1"] == pytest.approx((6 / 8 + 2 / 4 + 2 / 4) / 3)
    assert found["ham_blocked"] == pytest.approx(1 / 4)
    assert found["bad_blocked"] == pytest.approx(3 / 4)
    assert found["phishing_recall"] == pytest.approx(1 / 2)
    assert found["ece"] == pytest.approx(0.8 - 5 / 8)


def test_calibration_error_weighs_bins_by_their_messages() -> None:
    sure, unsure = made("hhh", "hhh", 0.95), made("hs", "hh", 0.65)
    both = Predictions(
        LABELS,
        np.concatenate([sure.truth, unsure.truth]),
        np.concatenate([sure.probabilities, unsure.probabilities]),
        ("en",) * 5,
    )
    assert figures(both)["ece"] == pytest.approx(3 / 5 * 0.05 + 2 / 5 * 0.15)
    assert [(one.messages, round(one.stated, 2), one.right) for one in reliability(both)] == [
        (2, 0.65, 0.5),
        (3, 0.95, 1.0),
    ]


def test_macro_f1_is_that_of_scikit_learn_for_every_resample() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        truth, guess = rng.integers(0, 3, 30), rng.integers(0, 3, 30)
        letters = "hsp"
        predictions = made("".join(letters[one] for one in truth), "".join(letters[one] for one in guess))
        wanted = f1_score(truth, guess, labels=np.unique(truth), average="macro")
        assert figures(predictions)["macro_f1"] == pytest.approx(wanted)


def test_what_a_pool_has_no_messages_for_is_absent() -> None:
    assert applicable(made("hhh", "hhs")) == ("accuracy", "macro_f1", "ham_blocked", "ece")
    assert "ham_blocked" not in applicable(made("pp", "pp"))
    moods = Predictions(("negative", "positive"), np.array([0, 1]), np.eye(2), ("en", "en"))
    assert applicable(moods) == ("accuracy", "macro_f1", "ece")


def test_thresholds_decide_by_any_label() -> None:
    thresholds = {"spam": Threshold(0.7, 0.9), "phishing": Threshold(0.1)}
    found = figures(made("hhsp", "hsss", 0.8, thresholds))
    # the phishing of each message has 0.1 at least, so all are flagged; nothing reaches 0.9, and phishing never blocks
    assert found["verdict_ham_flagged"] == 1
    assert found["verdict_bad_flagged"] == 1
    assert found["verdict_ham_blocked"] == 0
    loose = made("hhsp", "hsss", 0.8, {"spam": Threshold(0.5, 0.8)})
    assert figures(loose)["verdict_ham_blocked"] == pytest.approx(1 / 2)
    assert figures(loose)["verdict_bad_blocked"] == 1


def test_intervals_are_those_of_the_binomial_for_a_share() -> None:
    predictions = made("h" * 200 + "s" * 200, "h" * 180 + "s" * 20 + "s" * 200)
    found = estimates(predictions)["ham_blocked"]
    low, high = exact(20, 200)
    assert found.value == pytest.approx(0.1)
    assert found.of == 200
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)
    assert estimates(predictions) == estimates(predictions)


def test_a_share_of_none_has_an_interval_all_the_same() -> None:
    found = estimates(made("h" * 100, "h" * 100))["ham_blocked"]
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(0.0362, abs=0.0001)  # 1 - 0.025 ** (1 / 100)


def test_the_interval_of_the_calibration_error_holds_it() -> None:
    rng = np.random.default_rng(2)
    stated = rng.uniform(0.5, 1, 150)
    said = np.where(rng.uniform(size=150) < stated, 0, 1)
    probabilities = np.stack([stated, 1 - stated], axis=1)
    found = estimates(Predictions(("a", "b"), said, probabilities, ("",) * 150))["ece"]
    assert found.low < found.value < found.high


def test_a_model_beside_itself_differs_in_nothing() -> None:
    predictions = made("hhsspp" * 9, "hssshp" * 9)
    assert all((one.value, one.low, one.high) == (0, 0, 0) for one in differences(predictions, predictions).values())


def test_paired_differences_are_surer_than_two_intervals() -> None:
    first = made("h" * 100 + "s" * 100, "h" * 60 + "s" * 40 + "s" * 100)
    second = made("h" * 100 + "s" * 100, "h" * 58 + "s" * 42 + "s" * 100)
    found = differences(first, second)["ham_blocked"]
    assert found.value == pytest.approx(-0.02)
    alone = estimates(first)["ham_blocked"]
    assert found.high - found.low < (alone.high - alone.low) / 2


def test_resamples_depend_on_the_seed_and_not_on_the_columns() -> None:
    columns = np.arange(40.0).reshape(20, 2)
    both, one = resampled(columns, 50), resampled(columns[:, :1], 50)
    assert np.array_equal(both[:, :1], one)
    assert not np.array_equal(one, resampled(columns[:, :1], 50, seed=9))


def test_languages_with_too_few_messages_have_no_curve() -> None:
    many, few = made("h" * 10 + "s" * 10, "h" * 9 + "s" * 11), made("hs", "hs")
    both = Predictions(
        LABELS,
        np.concatenate([many.truth, few.truth]),
        np.concatenate([many.probabilities, few.probabilities]),
        ("en",) * 20 + ("fr",) * 2,
    )
    curves, left_out = roc_by_language(both)
    assert list(curves) == ["en"]
    assert list(left_out) == ["fr"]
    assert curves["en"].area == pytest.approx(0.95)  # one ham in ten ranks with the bad: half of its pairs count
