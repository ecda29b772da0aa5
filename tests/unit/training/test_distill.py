"""Trained classifiers as teachers: columns in the data's order, one question a text, half of the targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sluice.tasks.errors import ModelUnavailable
from sluice.training.augment import Mix, MixOptions
from sluice.training.data import Example
from sluice.training.distill import Teachers
from sluice.worker.model.base import Classifier, ModelInfo

LABELS = ("ham", "spam", "phishing")


class Fixed(Classifier):
    """Answers the same to every text, and keeps what it was asked."""

    def __init__(self, labels: Sequence[str], answer: Sequence[float]) -> None:
        self.info = ModelInfo("fixed", "1", "none", "us", "never")
        self.labels = tuple(labels)
        self.device, self.precision, self.padded = "cpu", "float32", False
        self.unknown_id = None
        self.answer = list(answer)
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        self.asked.extend(texts)
        return [[1] for _ in texts]

    def forward(self, batch: Sequence[list[int]]) -> list[list[float]]:
        return [self.answer for _ in batch]

    def warm_up(self, max_batch: int) -> None:
        """Nothing to do."""

    def is_out_of_memory(self, exc: BaseException) -> bool:
        return False

    def is_fatal(self, exc: BaseException) -> bool:
        return False


def test_answers_are_averaged_in_the_order_of_the_labels_and_asked_once() -> None:
    one = Fixed(LABELS, (0.5, 0.3, 0.2))
    other = Fixed(("phishing", "ham", "spam"), (0.6, 0.1, 0.3))
    teachers = Teachers([one, other], LABELS)
    found = teachers(["a", "b", "a"])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.3, 0.3, 0.4]] * 3, rtol=1e-6)
    teachers(["b", "c"])
    assert sorted(one.asked) == ["a", "b", "c"]


def test_a_teacher_of_other_labels_is_refused_by_name() -> None:
    with pytest.raises(ModelUnavailable, match=r"teacher fixed answers good, bad.*--teacher-model"):
        Teachers([Fixed(("good", "bad"), (1, 0))], LABELS)


def test_targets_are_half_the_label_and_half_the_teachers_and_copies_are_asked_in_plain() -> None:
    judge = Fixed(LABELS, (0.0, 0.0, 1.0))
    examples = [Example(f"win a prize number {number}", "spam") for number in range(20)]
    options = MixOptions(obfuscated=1.0, damaged=1.0, spliced=0.0)
    mix = Mix(examples, LABELS, options, templates=False, models=Teachers([judge], LABELS))
    texts, targets = mix.draw(7)
    assert len(texts) == 60
    np.testing.assert_allclose(targets, [[0.0, 0.5, 0.5]] * 60)
    assert sorted(judge.asked) == sorted(one.text for one in examples)


def test_what_is_made_comes_again_after_some_epochs_so_that_teachers_are_asked_less() -> None:
    examples = [Example(f"message {number}", label) for number in range(10) for label in LABELS]
    options = MixOptions(draws=2, spliced=0.0)
    judged = Mix(examples, LABELS, options, models=Teachers([Fixed(LABELS, (1, 0, 0))], LABELS))
    assert judged.draw(4)[0] == judged.draw(8)[0] != judged.draw(5)[0]
    alone = Mix(examples, LABELS, options)
    assert alone.draw(4)[0] != alone.draw(8)[0]


def test_a_temperature_softens_the_answers() -> None:
    judge = Fixed(LABELS, (0.64, 0.32, 0.04))
    soft = Teachers([judge], LABELS, temperature=2.0)(["a"])[0]
    np.testing.assert_allclose(soft / soft[2], [4, 8**0.5, 1], rtol=1e-5)
    assert soft.sum() == pytest.approx(1)


def test_what_a_person_corrected_is_no_teachers_business() -> None:
    examples = [Example("win a prize", "spam"), Example("the toll is paid", "ham", reviewed=True)]
    opinions = np.full((2, 3), 1 / 3, dtype=np.float32)
    options = MixOptions(obfuscated=0, damaged=0, spliced=0)
    judge = Teachers([Fixed(LABELS, (0, 0, 1))], LABELS)
    _, targets = Mix(examples, LABELS, options, opinions, templates=False, models=judge).draw(1)
    assert targets[0].max() < 1
    assert targets[1].tolist() == [1, 0, 0]
