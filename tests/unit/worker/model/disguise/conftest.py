"""A small unigram vocabulary with word starts, as XLM-R's."""

from __future__ import annotations

import pytest

from sluice.worker.model.disguise import Normalizer
from sluice.worker.model.disguise.vocabulary import START, Vocabulary

WORDS = """your bank account is locked verify paypal login secure google amazon now at http the please card call us win
ваш счет заблокирован срочно позвоните""".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789абвгдежзийклмнопрстуфхцчшщъыьэюя.:/-"


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    """Whole words are likely, letters are not."""
    pieces = [(START + word, -8.0) for word in WORDS] + [(word, -10.0) for word in WORDS if len(word) > 3]
    return Vocabulary(pieces + [(letter, -9.0) for letter in LETTERS] + [(START + letter, -10.0) for letter in LETTERS])


@pytest.fixture(scope="session")
def normalizer(vocabulary: Vocabulary) -> Normalizer:
    return Normalizer(vocabulary)
