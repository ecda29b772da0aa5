"""The loop's parts, scores, and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.training.data import Example
from sluice.training.fit import Average, FitOptions, batches, corrupt, schedule
from sluice.training.plots import save_confusion
from sluice.training.scores import score
from sluice.training.teacher import Teacher, held_out_labels

LABELS = ("ham", "spam", "phishing")


def test_batches_hold_every_row_once_and_are_of_like_length() -> None:
    lengths = list(np.random.default_rng(1).integers(3, 90, 130))
    cuts = list(batches(lengths, 16, np.random.default_rng(2)))
    assert sorted(np.concatenate(cuts)) == list(range(130))
    assert np.mean([np.ptp([lengths[row] for row in cut]) for cut in cuts]) < 20


def test_the_rate_rises_and_falls() -> None:
    rates = [schedule(step / 100, 0.1) for step in range(101)]
    assert rates[0] < 0.01
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates.index(max(rates)) in (9, 10, 11)
    assert rates[-1] == pytest.approx(0)


def test_corruption_spares_the_ends() -> None:
    rows = corrupt([[2, 7, 7, 7, 7, 3]] * 50, FitOptions(token_dropout=0.5), 4, np.random.default_rng(1))
    assert all(row[0] == 2 and row[-1] == 3 for row in rows)
    assert 0.3 < np.mean([row[1:-1].count(4) / 4 for row in rows]) < 0.7


def test_the_average_follows_the_weights() -> None:
    model = torch.nn.Linear(2, 2)
    average = Average(model, 0.9)
    with torch.no_grad():
        for value in model.parameters():
            value.fill_(1.0)
    for _ in range(80):
        average.update(model)
    assert all(torch.allclose(value, torch.ones_like(value), atol=1e-3) for value in average.weights().values())


def test_scores_by_class_and_group(tmp_path: Path) -> None:
    truth = ["ham", "ham", "spam", "spam", "phishing"]
    guess = [0, 0, 1, 0, 2]
    data = [Example(str(n), label, "en" if n < 3 else "fr") for n, label in enumerate(truth)]
    scores = score(data, np.eye(3, dtype=np.float32)[guess], LABELS)
    assert scores.accuracy == pytest.approx(0.8)
    assert [one.support for one in scores.classes] == [2, 2, 1]
    assert scores.classes[0].precision == pytest.approx(2 / 3)
    assert scores.classes[1].f1 == pytest.approx(2 / 3)
    assert scores.macro_f1 == pytest.approx((0.8 + 2 / 3 + 1) / 3)
    assert scores.confusion == ((2, 0, 0), (1, 1, 0), (0, 0, 1))
    assert [(group.name, group.messages) for group in scores.languages] == [("en", 3), ("fr", 2)]
    assert scores.sources == ()
    assert scores.calibration_error == pytest.approx(0.2)
    save_confusion(scores, tmp_path / "confusion.png", "title")
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert scores.as_dict()["macro_f1"] == 0.8222


def test_a_label_that_never_occurs_is_no_error() -> None:
    scores = score([Example("a", "ham")], np.eye(3, dtype=np.float32)[[0]], LABELS)
    assert scores.macro_f1 == 1
    assert scores.classes[2].f1 == 0


def test_teachers_learn_and_are_asked_about_texts_they_never_saw(examples: list[Example]) -> None:
    texts = [one.text for one in examples[:60]]
    numbers = [LABELS.index(one.label) for one in examples[:60]]
    opinions = held_out_labels(texts, numbers, 3, seed=1)
    assert opinions.shape == (len(texts), 3)
    np.testing.assert_allclose(opinions.sum(axis=1), 1, rtol=1e-4)
    predictions = Teacher(1).fit(texts, numbers).predict(texts)
    assert (predictions.argmax(axis=1) == numbers).mean() > 0.9
