"""The labelled messages of tests/fixtures/pools: enough of them, and none that a model may have learned by heart."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.training.data import Example, read_examples
from sluice.training.notices import make_notices
from sluice.training.templates import make_examples

ROOT = Path(__file__).resolve().parents[3]
POOLS = ROOT / "tests" / "fixtures" / "pools"
LABELS = ("ham", "spam", "phishing")
NEAR = 0.6
"""Jaccard similarity of character 5-grams, digits masked."""
DRAWN = 8000
"""Messages drawn from each set of templates."""


def pool(name: str) -> list[Example]:
    return read_examples(POOLS / f"{name}.csv", LABELS)


def grams(text: str) -> frozenset[str]:
    masked = re.sub(r"\d", "0", " ".join(text.casefold().split()))
    return frozenset(masked[at : at + 5] for at in range(max(1, len(masked) - 4)))


def learned() -> Iterator[str]:
    """What a model of this project learns from, and what its settings were chosen on."""
    for path in sorted((ROOT / "training").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            yield from (row["text"] for row in csv.DictReader(file))
    for make in (make_examples, make_notices):
        yield from (example.text for example in make(DRAWN, seed=11))


def test_the_pools_hold_what_they_are_for() -> None:
    notices = pool("notices_ham")
    assert {one.label for one in notices} == {"ham"}
    assert len(notices) >= 120
    assert len({one.language for one in notices}) >= 25
    assert {one.source for one in notices} >= {
        "code", "card", "balance", "mobile_money", "delivery", "telecom", "authority", "appointment",
    }  # fmt: skip
    everyday = Counter(one.label for one in pool("everyday"))
    assert everyday["ham"] >= 80
    assert everyday["spam"] >= 60
    assert everyday["phishing"] >= 80
    assert min(Counter(one.label for one in pool("hard")).values()) >= 10
    languages = Counter((one.language, one.label) for one in pool("multilingual"))
    assert len({language for language, _ in languages}) >= 25
    assert all(languages[language, label] >= 2 for language, _ in languages for label in LABELS)


def test_no_message_is_there_twice() -> None:
    texts = Counter(one.text for name in ("notices_ham", "everyday", "hard", "multilingual") for one in pool(name))
    assert max(texts.values()) == 1


@pytest.mark.slow
def test_none_is_nearly_one_that_is_learned_from() -> None:
    of_gram: dict[str, list[int]] = defaultdict(list)
    sizes, texts = [], list(dict.fromkeys(learned()))
    for number, text in enumerate(texts):
        found = grams(text)
        sizes.append(len(found))
        for gram in found:
            of_gram[gram].append(number)
    near = []
    for path in sorted(POOLS.glob("*.csv")):
        for example in pool(path.stem):
            own = grams(example.text)
            shared = Counter(number for gram in own for number in of_gram.get(gram, ()))
            near += [
                (path.stem, example.text, texts[number])
                for number, count in shared.items()
                if count / (len(own) + sizes[number] - count) >= NEAR
            ]
    assert not near
