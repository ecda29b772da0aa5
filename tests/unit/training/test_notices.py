"""Invented notices and their phishing twins."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from sluice.training import notices
from sluice.training.data import DataError
from sluice.training.notices import fill_notice, make_notices, notice_books, without_accents
from sluice.training.sites import on_domain, read_site
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
            assert label == "phishing" or not re.search(r"\{(link|\w+fake)\}", template), template


def test_every_notice_comes_before_one_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ham, bad = [f"notice {n}" for n in range(6)], ["twin 1", "twin 2"]
    book = Phrasebook("xx", {}, [*(("ham", text) for text in ham), *(("phishing", text) for text in bad)])
    monkeypatch.setattr(notices, "notice_books", lambda: (book,))
    made = make_notices(200, seed=2)
    for label, texts in (("ham", ham), ("phishing", bad)):
        got = [one.text.lower() for one in made if one.label == label]
        rounds = [got[at : at + len(texts)] for at in range(0, len(got) - len(texts), len(texts))]
        assert len(rounds) > 3
        assert all(sorted(one) == texts for one in rounds)


def test_a_brand_is_named_with_its_own_domain_or_a_look_alike() -> None:
    book = Phrasebook("en", {"bank": ["Other"], "bank sites": ["Oak Bank oakbank.example", "Elm elm.co.example"]}, [])
    rng = random.Random(4)
    for _ in range(200):
        name, host, link = fill_notice("{bank} {bankhost} {banklink}", book, rng).rsplit(" ", 2)
        assert {"Oak Bank": "oakbank.example", "Elm": "elm.co.example"}[name] == host
        assert on_domain(_host(link), host), link
        name, link = fill_notice("{bank} {bankfake}", book, rng).rsplit(" ", 1)
        assert name in ("Oak Bank", "Elm")
        assert not on_domain(_host(link), "oakbank.example"), link
        assert not on_domain(_host(link), "elm.co.example"), link
    assert fill_notice("{bank}", book, rng) == "Other"


def _host(link: str) -> str:
    return re.split("[/?]", link.split("://")[-1])[0]


def test_every_list_of_sites_pairs_names_and_domains() -> None:
    for book in notice_books():
        for name, items in book.lists.items():
            if name.endswith(" sites"):
                assert all(read_site(item) for item in items), (book.language, name)
    with pytest.raises(ValueError, match="no name with a domain"):
        read_site("oakbank")
    with pytest.raises(DataError, match="needs a list '= bank sites"):
        fill_notice("{banklink}", Phrasebook("xx", {}, []), random.Random(1))


def test_a_code_said_twice_is_the_same() -> None:
    text = fill_notice("{otp} {otp}", Phrasebook("xx", {}, []), random.Random(1))
    assert len(set(text.split())) == 1


def test_accents_can_be_left_out() -> None:
    assert without_accents("Código: łatwo, đơn hàng, ığdır, ç") == "Codigo: latwo, don hang, igdir, c"


def test_brackets_of_the_sender_stay() -> None:
    book = Phrasebook("ko", {"bank": ["KB국민"]}, [])
    assert fill_notice("[Web발신]\\n[{bank}] [입금|출금]", book, random.Random(1)).startswith("[Web발신]\n[KB국민] ")


def test_an_unknown_slot_is_named() -> None:
    with pytest.raises(DataError, match=r"notices/xx\.txt: there is no slot \{nothing\}"):
        fill_notice("{nothing}", Phrasebook("xx", {}, []), random.Random(1))
