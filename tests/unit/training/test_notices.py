"""Invented notices and their phishing twins."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from sluice.training.data import DataError
from sluice.training.notices import fill_notice, make_notices, notice_books
from sluice.training.templates import Phrasebook


def test_every_notice_can_be_filled() -> None:
    rng = random.Random(1)
    for book in notice_books():
        for _, template in book.templates:
            for _ in range(3):
                text = fill_notice(template, book, rng)
                assert text
                assert not re.search(r"[{}|]|\[[^\]]*\|", text), template


def test_every_language_has_notices_and_twins() -> None:
    assert len(notice_books()) >= 40
    for book in notice_books():
        assert {label for label, _ in book.templates} == {"ham", "phishing"}, book.language
        assert {"bank", "shop", "telco", "post", "app", "gov", "cur", "person"} <= set(book.lists), book.language


def test_no_template_is_written_twice() -> None:
    counts = Counter(template for book in notice_books() for _, template in book.templates)
    assert [template for template, count in counts.items() if count > 1] == []


def test_the_same_seed_gives_the_same_notices() -> None:
    assert make_notices(50, seed=3) == make_notices(50, seed=3)
    assert make_notices(50, seed=3) != make_notices(50, seed=4)
    made = make_notices(2_000, seed=1)
    labels = Counter(one.label for one in made)
    assert set(labels) == {"ham", "phishing"}
    assert labels["ham"] > 2 * labels["phishing"]
    assert {one.language for one in made} == {book.language for book in notice_books()}


def test_twins_ask_for_something_and_notices_hold_no_invented_link() -> None:
    for book in notice_books():
        for label, template in book.templates:
            assert label == "phishing" or "{link}" not in template, template


def test_brackets_of_the_sender_stay() -> None:
    book = Phrasebook("ko", {"bank": ["KB국민"]}, [])
    assert fill_notice("[Web발신]\\n[{bank}] [입금|출금]", book, random.Random(1)).startswith("[Web발신]\n[KB국민] ")


def test_an_unknown_slot_is_named() -> None:
    with pytest.raises(DataError, match=r"notices/xx\.txt: there is no slot \{nothing\}"):
        fill_notice("{nothing}", Phrasebook("xx", {}, []), random.Random(1))
