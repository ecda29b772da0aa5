"""Invented messages, disguises and mixtures."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sluice import training
from sluice.training.augment import Mix, MixOptions, splice
from sluice.training.data import DataError, Example, read_examples
from sluice.training.notices import make_notices
from sluice.training.obfuscate import TRICKS, obfuscate, typos
from sluice.training.templates import (
    ENGLISH_SHARE,
    MONEY,
    Phrasebook,
    fill,
    make_examples,
    phrasebooks,
    read_phrasebook,
)

LABELS = ("ham", "spam", "phishing")


def test_every_template_can_be_filled() -> None:
    rng = random.Random(1)
    for book in phrasebooks():
        for _, template in book.templates:
            for _ in range(3):
                text = fill(template, book, rng)
                assert text
                assert not re.search(r"[{}|]|\[[^\]]*\|", text), template


def test_every_language_has_enough_templates_of_every_label() -> None:
    assert len(phrasebooks()) >= 42
    for book in phrasebooks():
        counts = Counter(label for label, _ in book.templates)
        least = {"ham": 15, "spam": 10, "phishing": 11}
        assert {label: counts[label] for label in LABELS if counts[label] < least[label]} == {}, book.language
        assert {"bank", "post", "brand"} <= set(book.lists), book.language


def test_every_language_has_its_own_money() -> None:
    assert {book.language for book in phrasebooks()} <= set(MONEY)


def test_every_language_comes_up_and_english_with_its_share() -> None:
    counts = Counter(example.language for example in make_examples(8_000, seed=2))
    assert set(counts) == {book.language for book in phrasebooks()}
    assert counts["en"] / 8_000 == pytest.approx(ENGLISH_SHARE, abs=0.02)
    assert {example.language for example in make_examples(50, seed=2, languages=["en"])} == {"en"}
    assert "en" not in {example.language for example in make_examples(50, seed=2, languages=["pl", "ko"])}


def test_no_template_is_written_twice() -> None:
    counts = Counter((book.language, template) for book in phrasebooks() for _, template in book.templates)
    assert [template for template, count in counts.items() if count > 1] == []


def test_no_message_is_labelled_two_ways() -> None:
    folder = Path(training.__file__).parent
    written = [*read_examples(folder / "hard_cases.csv", LABELS), *read_examples(folder / "greetings.csv", LABELS)]
    labels: dict[str, set[str]] = {}
    for example in (*written, *make_examples(20_000, seed=4), *make_notices(5_000, seed=4)):
        labels.setdefault(" ".join(example.text.lower().split()), set()).add(example.label)
    assert [text for text, found in labels.items() if len(found) > 1] == []
    assert [text for text, count in Counter(example.text for example in written).items() if count > 1] == []


def test_the_same_seed_gives_the_same_messages() -> None:
    assert make_examples(50, seed=3) == make_examples(50, seed=3)
    assert make_examples(50, seed=3) != make_examples(50, seed=4)
    counts = Counter(example.label for example in make_examples(600, seed=1))
    assert min(counts.values()) > 60


def test_mistakes_in_a_phrasebook_are_named(tmp_path: Path) -> None:
    path = tmp_path / "xx.txt"
    path.write_text("= bank: A, B\nq\twhat\n")
    with pytest.raises(DataError, match=r"xx\.txt, line 2"):
        read_phrasebook(path)
    with pytest.raises(DataError, match=r"no slot \{nothing\}"):
        fill("{nothing}", Phrasebook("xx", {}, []), random.Random(1))


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_changes_the_text_and_only_its_looks(trick: str) -> None:
    text = "Please verify your account details at http://pay.example.top"
    for rare in (False, True):
        assert {TRICKS[trick](text, random.Random(seed), rare) for seed in range(9)} - {text}
        assert TRICKS[trick]("", random.Random(2), rare) == ""


def test_disguises_are_reproducible() -> None:
    text = "Please verify your account details"
    assert [obfuscate(text, random.Random(n)) for n in range(9)] == [
        obfuscate(text, random.Random(n)) for n in range(9)
    ]
    assert typos("", random.Random(1)) == ""


def test_a_mixture_has_targets_for_every_text(examples: list[Example]) -> None:
    opinions = np.full((len(examples), 3), 1 / 3, dtype=np.float32)
    teacher = lambda texts: np.tile(np.array([[0.2, 0.3, 0.5]], dtype=np.float32), (len(texts), 1))  # noqa: E731
    mix = Mix(examples, LABELS, MixOptions(spliced=0.5, teacher_share=0.3), opinions, teacher)
    texts, targets = mix.draw(5)
    assert targets.shape == (len(texts), 3)
    assert len(texts) > 2 * len(examples)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-5)
    own = targets[: len(examples)]
    assert own.max() == pytest.approx(0.8)
    assert mix.draw(5)[0] == texts
    assert mix.draw(6)[0] != texts


def test_a_splice_begins_like_one_and_ends_like_the_other() -> None:
    text = splice("one two three four", "five six seven eight", random.Random(1))
    assert text.startswith("one")
    assert text.endswith("eight")
    assert splice("ไม่", "ค่ะ", random.Random(1))
