"""Pieces are counted without the tokens around them; unknown ones are told."""

from __future__ import annotations

import pytest

from sluice.config.settings import current
from sluice.worker.engine.capacity import load_classifier
from sluice.worker.model.pieces import Pieces
from sluice.worker.model.simulated import SimulatedClassifier


@pytest.mark.slow
def test_the_shipped_model_does_not_know_signs_that_it_never_saw() -> None:
    classifier = load_classifier(current())
    pieces = Pieces(classifier)
    assert pieces.countable
    plain, odd, none = pieces.of(classifier.encode(["see you at home", "see you 𓀀 𓀁 at home", ""]))
    assert plain[0] >= 4
    assert plain[1] == 0
    assert odd[1] >= 1
    assert none == (0, 0)
    assert pieces.total(classifier.encode(["see you at home", "see you 𓀀 𓀁 at home"])) == (
        plain[0] + odd[0],
        odd[1],
    )


def test_of_a_simulated_model_nothing_is_counted() -> None:
    classifier = SimulatedClassifier()
    pieces = Pieces(classifier)
    assert not pieces.countable
    assert pieces.of(classifier.encode(["x" * 40])) == [(0, 0)]
