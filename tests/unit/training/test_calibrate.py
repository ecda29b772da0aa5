"""Temperature and thresholds, fitted on answers that are known to be wrong in a known way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from sluice.training.calibrate import (
    Calibration,
    _allowed,
    _flag,
    _kept,
    calibrate,
    rescaled,
    stated,
    write_calibration,
)
from sluice.training.predictions import Predictions
from tests.unit.training.test_measures import made
from tests.unit.training.test_results import pool

LABELS = ("ham", "spam", "phishing")


def drawn(messages: int, temperature: float, seed: int = 1) -> Predictions:
    """Answers whose probabilities are right at `temperature`, and stated at a temperature of 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (messages, 3)) + np.array([3, 0, 0])
    honest = softmax(logits / temperature, axis=1)
    truth = np.array([rng.choice(3, p=row) for row in honest])
    return Predictions(LABELS, truth, softmax(logits, axis=1), ("",) * messages)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.2])
def test_the_temperature_is_found(temperature: float) -> None:
    found, after = calibrate(drawn(6000, temperature))
    assert found.temperature == pytest.approx(temperature, rel=0.08)
    assert found.ece_after < 0.02
    assert found.nll_after <= found.nll_before
    assert after.probabilities.sum(axis=1) == pytest.approx(np.ones(6000))
    if temperature != 1.0:
        assert found.ece_before > 2 * found.ece_after


def test_it_is_relative_to_the_one_in_force() -> None:
    predictions = drawn(3000, 2.0)
    first, after = calibrate(predictions)
    again, _ = calibrate(after, temperature=first.temperature)
    assert again.temperature == pytest.approx(first.temperature, rel=0.01)


def test_rescaling_undoes_itself() -> None:
    probabilities = drawn(50, 1.0).probabilities
    assert rescaled(rescaled(probabilities, 2.5), 1 / 2.5) == pytest.approx(probabilities)
    certain = np.array([[1.0, 0.0, 0.0]], dtype=np.float32)
    assert np.isfinite(rescaled(certain, 3.0)).all()


def test_thresholds_keep_ham() -> None:
    found, after = calibrate(drawn(20000, 1.0), max_ham_blocked=0.01)
    assert set(found.thresholds) == {"spam", "phishing"}
    for thresholds in found.thresholds.values():
        assert thresholds.flag is not None
        assert thresholds.block is not None
        assert 0.3 < thresholds.flag <= thresholds.block < 1
    blocked = after.blocked
    assert 0 < blocked[after.good].mean() <= 0.01
    assert blocked[after.bad].mean() > 10 * blocked[after.good].mean()
    assert not found.notes


def test_what_is_flagged_at_the_limit_is_as_often_bad_as_not() -> None:
    found, after = calibrate(drawn(20000, 1.0))
    spam = after.probabilities[:, 1]
    flag = found.thresholds["spam"].flag
    assert flag is not None
    near = (np.abs(spam - flag) < 0.05) & (spam >= after.probabilities[:, 2])
    assert after.bad[near].mean() == pytest.approx(0.5, abs=0.1)


def test_too_few_ham_are_told() -> None:
    found, after = calibrate(drawn(250, 1.0))
    assert any("too few to vouch for 0.5%" in note and "322 are needed" in note for note in found.notes)
    assert not after.blocked[after.good].any()


def test_the_ham_that_looks_worst_is_given_up_first() -> None:
    ham = np.array([[0.2, 0.1], [0.9, 0.05], [0.3, 0.6], [0.1, 0.8]])
    assert sorted(_kept(ham, 2).tolist()) == [[0.2, 0.1], [0.3, 0.6]]
    assert [_allowed(ham, 0.005) for ham in (321, 322, 1000)] == [None, 0, 2]
    assert _allowed(100, 0.5) == 45  # of 100 the 80% limit of 45 is 49.7%, of 46 it is 50.7%


def test_the_flag_lies_where_good_and_bad_meet() -> None:
    probabilities = np.array([[0.7, 0.3, 0], [0.6, 0.4, 0], [0.2, 0.8, 0], [0.1, 0.9, 0]])
    predictions = Predictions(LABELS, np.array([0, 0, 1, 1]), probabilities, ("",) * 4)
    assert _flag(predictions, "spam", probabilities[:, 1]) == pytest.approx(0.6, abs=0.002)
    assert _flag(predictions, "phishing", probabilities[:, 2]) is None


def test_messages_without_ham_give_no_thresholds() -> None:
    found, _ = calibrate(made("sspp" * 20, "spsp" * 20))
    assert found.thresholds == {}
    assert any("no ham" in note for note in found.notes)


def test_messages_without_an_error_leave_the_temperature() -> None:
    found, _ = calibrate(made("hsp" * 30, "hsp" * 30), temperature=1.7)
    assert found.temperature == 1.7
    assert any("too few errors" in note for note in found.notes)


def test_other_labels_get_a_temperature_alone() -> None:
    given = drawn(2000, 1.6)
    found, _ = calibrate(Predictions(("bad", "fair", "good"), given.truth, given.probabilities, given.languages))
    assert found.temperature == pytest.approx(1.6, rel=0.15)
    assert found.thresholds == {}


def test_it_is_written_beside_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "sluice.json").write_text('{"name": "mine", "temperature": 9, "options": {"seed": 1}}')
    found = calibrate(drawn(4000, 1.5))[0]
    write_calibration(tmp_path, found, [pool("hs")])
    facts = json.loads((tmp_path / "sluice.json").read_text())
    assert (facts["name"], facts["options"]) == ("mine", {"seed": 1})
    assert facts["temperature"] == found.temperature
    assert facts["thresholds"]["phishing"] == stated(found.thresholds)["phishing"]
    assert facts["calibration"]["data"] == [{"file": "one.csv", "sha256": "0" * 64, "messages": 2}]
    assert facts["calibration"]["messages"] == 4000
    assert [path.name for path in tmp_path.iterdir()] == ["sluice.json"]


def test_a_folder_without_a_card_gets_one(tmp_path: Path) -> None:
    found: Calibration = calibrate(drawn(400, 1.5))[0]
    write_calibration(tmp_path, found, [])
    assert json.loads((tmp_path / "sluice.json").read_text())["temperature"] == found.temperature
    (tmp_path / "sluice.json").write_text("[]")
    with pytest.raises(ValueError, match="no JSON object"):
        write_calibration(tmp_path, found, [])
