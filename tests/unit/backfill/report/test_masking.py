"""What people may see of a sender, and that nothing in a text hides from them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sluice.backfill.report.masking import masked, visible


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ("+447700900123", "+•••123"), ("07700 900123", "•••123"), ("(020) 7946-0123", "•••123"),
        ("0044 7700 900 123", "•••123"), ("SHOP", "SHOP"), ("My Bank-24", "My Bank-24"),
        ("VM-HDFCBK", "VM-HDFCBK"),
        ("60777", "60777"), ("116123", "116123"), ("anna.smith@example.org", "a•••@example.org"),
        ("John Longname Smith", "Jo•••"), ("Anna 07700900123", "•••123"), ("tel:+447700900123", "•••123"),
        ("a@b", "a•••@b"), ("\u202a+44\u00a07700\u00a0900123\u202c", "+•••123"), ("\u202eknaB", "⟨U+202E⟩knaB"),
        ("07700900123@example.org", "0•••@example.org"), ("x@07700900123", "•••123"), ("", ""),
    ],
)  # fmt: skip
def test_senders_as_those_see_them_whom_they_do_not_concern(sender: str, shown: str) -> None:
    assert masked(sender) == shown


@pytest.mark.parametrize(
    ("sender", "shown"),
    [("Bob Miller", "B•••"), ("Иван", "И•••"), ("John Longname Smith", "J•••"), ("+447700900123", "+•••123"),
     ("60777", "60777"), ("b.m@example.org", "b•••@example.org"), ("", "")],
)  # fmt: skip
def test_of_people_only_the_first_letter_is_shown(sender: str, shown: str) -> None:
    assert masked(sender, people=True) == shown


@given(st.from_regex(r"\A[a-z :+]{0,6}(\d[ ()./-]?){7,15}[a-z ]{0,6}\Z"))
def test_of_a_number_no_more_than_three_digits_are_shown(sender: str) -> None:
    assert sum(map(str.isdigit, masked(sender))) <= 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb\u2066c", "a⟨U+202E⟩b⟨U+2066⟩c"), ("a\u200bb\ufeff", "a⟨U+200B⟩b⟨U+FEFF⟩"),
        ("a\x00\x1b[2J\x7f\x85", "a⟨U+0000⟩⟨U+001B⟩[2J⟨U+007F⟩⟨U+0085⟩"),
        ("a\nb\tc", "a⏎b⟨U+0009⟩c"), ("a\udcffb", "a\N{REPLACEMENT CHARACTER}b"), ("\U000e0041", "⟨U+E0041⟩"),
        ("👨\u200d👩 क\u200dष a\u00a0b", "👨\u200d👩 क\u200dष a\u00a0b"), ("\uffff", "⟨U+FFFF⟩"),
    ],
)  # fmt: skip
def test_characters_that_hide_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(), st.integers(1, 50))
def test_what_is_shown_can_be_written_and_is_short(text: str, limit: int) -> None:
    shown = visible(text, limit)
    shown.encode()
    assert "\u202e" not in shown
    assert len(shown) <= 10 * limit
    if len(text) > limit:
        assert shown.endswith("…")
