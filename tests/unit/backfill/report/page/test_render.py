"""The templates: every section has one, whatever a view holds is escaped in it, and no name is missing."""

from __future__ import annotations

import re
from html import unescape
from importlib.resources import files

import pytest
from jinja2 import UndefinedError

from sluice.backfill.report import palette
from sluice.backfill.report.page import render
from sluice.backfill.report.page.campaigns import CampaignList, Group
from sluice.backfill.report.page.certainty import Certainty, CertaintyLine
from sluice.backfill.report.page.counts import Counts
from sluice.backfill.report.page.drift import DriftLine, DriftOverTime
from sluice.backfill.report.page.errors import ErrorLine, Errors
from sluice.backfill.report.page.examples import ExampleList, ExampleLists
from sluice.backfill.report.page.notes import Notes
from sluice.backfill.report.page.overtime import OverTime
from sluice.backfill.report.page.scripts import Scripts
from sluice.backfill.report.page.senders import BusiestSenders, RankedSenders, SenderLine
from sluice.backfill.report.page.throughput import Throughput
from sluice.backfill.report.page.view import (
    CountLine,
    CountTable,
    Name,
    Nothing,
    Page,
    Part,
    Picture,
    Section,
    Swatch,
    Tile,
)
from tests.unit.backfill.report.page.test_writer import Page as Html

EVIL = "</bdi></style><script>alert('1\")</script> \u202egnp.exe\u200f & \x1b[31m"
SHOWN = "</bdi></style><script>alert('1\")</script> ⟨U+202E⟩gnp.exe⟨U+200F⟩ & ⟨U+001B⟩[31m"

SWATCH = Swatch(EVIL, "l1 h2")
PICTURE = Picture(b"light", b"dark", EVIL, [Name(EVIL)], 1_720)
TABLE = CountTable(EVIL, EVIL, [SWATCH], [CountLine(EVIL, 12_345, [54_321])])
SENDERS = [SenderLine(EVIL, 1_000, EVIL, 2_000, 0.5)]
GROUP = Group(3_000, EVIL, 4_000, [Part(0.25, "l1 h0")], [EVIL, EVIL], [EVIL])
#: A section of every kind, and how often it shows EVIL.
SECTIONS: list[tuple[Section, int]] = [
    (Nothing(EVIL, EVIL, [EVIL]), 3),
    (Counts(PICTURE), 2),
    (OverTime(PICTURE, TABLE, [EVIL, EVIL]), 8),
    (DriftOverTime("week", False, EVIL, [EVIL], PICTURE, [SWATCH, EVIL], [DriftLine(EVIL, 9, [(EVIL, True)])], 3), 8),
    (DriftOverTime(EVIL, True, "", [], PICTURE, [], [], 0), 6),
    (DriftOverTime("week", False, "", [], PICTURE, [], [], 1), 2),
    (Scripts(PICTURE, TABLE), 6),
    (RankedSenders(EVIL, 3, SENDERS, [EVIL]), 5),
    (BusiestSenders(EVIL, SENDERS, [EVIL]), 4),
    (CampaignList([GROUP, GROUP], EVIL, EVIL, EVIL, [EVIL], True, EVIL, True), 13),
    (CampaignList([GROUP], EVIL, EVIL, "", [EVIL], False, "", False), 6),
    (Certainty(PICTURE, (0.6,), [CertaintyLine(SWATCH, 5, [(1, EVIL)])]), 4),
    (Throughput(PICTURE), 2),
    (Errors(EVIL, [ErrorLine(EVIL, 5, EVIL)]), 3),
    (ExampleLists([ExampleList(SWATCH, EVIL, [(0.5, EVIL)])]), 3),
    (ExampleLists([]), 0),
    (Notes([EVIL, EVIL]), 2),
]


def page_of(*sections: Section, text: str = "words") -> str:
    tiles = [Tile(text, text), Tile("5", Swatch(text, "l0 h0"))]
    return render.rendered(Page(text, text, tiles, [(text, text)], sections, text))


@pytest.mark.parametrize(("section", "count"), SECTIONS, ids=lambda one: getattr(one, "template", ""))
def test_whatever_a_section_holds_is_escaped(section: Section, count: int) -> None:
    html = page_of(section)
    page = Html(html)
    assert page.scripts == 0
    assert not re.search("[\u202e\u200f\x1b]", html)
    # Names are cut to 60 characters, so what is left of them is looked for.
    assert unescape(html).count(SHOWN[:40]) == count
    assert all(url.startswith("data:image/png;base64,") for url in page.urls)
    assert not re.search(r'width="[\d]*,', html)


def test_the_frame_of_the_page_is_escaped() -> None:
    html = page_of(text=EVIL)
    assert Html(html).scripts == 0
    assert unescape(html).count(SHOWN[:40]) == 9


def test_every_template_is_used() -> None:
    laid_out = {section.template for section, _ in SECTIONS}
    folder = {one.name for one in files("sluice.backfill.report.page").joinpath("templates").iterdir()}
    assert folder == laid_out | {"page.html", "parts.html", "report.css", "labels.css"}


def test_a_name_that_a_view_lacks_fails() -> None:
    with pytest.raises(UndefinedError):
        render._environment(str).from_string("{{ page.titel }}").render(page=Page("", "", [], [], [], ""))


def test_long_words_are_cut() -> None:
    html = page_of(Nothing("x" * 5_000, ""), Counts(Picture(b"p" * 9_000, b"", "", "", 720)), text="y")
    assert "x" * 999 + "…<" in html
    assert len(html) > 12_000  # a picture is not cut


def test_labels_have_the_colours_of_the_pictures() -> None:
    css = page_of()
    for theme in (palette.LIGHT, palette.DARK):
        for number, colour in enumerate(theme.labels):
            assert f".l{number} {{ --label: {colour}; }}" in css
    assert css.count(".l0 {") == 2
    assert all(f".h{number} {{" in css for number in range(len(palette.HATCHES)))
