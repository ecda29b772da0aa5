"""The script of a text."""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from sluice.backfill.report.scripts import NAMES, NO_LETTERS, RANGES, majority

#: What the Unicode names of the letters of a script begin with.
CALLED = {name: (name.upper(),) for name in RANGES} | {
    "Han": ("CJK UNIFIED", "CJK COMPATIBILITY"),
    "Kana": ("HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "HENTAIGANA"),
    "Hangul": ("HANGUL", "HALFWIDTH HANGUL"),
    "Odia": ("ORIYA",),
    "Bengali": ("BENGALI",),
}


def of(*texts: str | None) -> list[str]:
    return [NAMES[at] for at in majority(pa.array(texts, pa.large_string())).tolist()]


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Your parcel", "Latin"), ("Ťažké žluťoučké", "Latin"), ("Việt Nam ơi", "Latin"), ("ＦＲＥＥ", "Latin"),
        ("𝐅𝐑𝐄𝐄 𝐦𝐨𝐧𝐞𝐲", "Latin"), ("привет", "Cyrillic"), ("Καλημέρα", "Greek"), ("שלום", "Hebrew"),
        ("مرحبا ١٢٣", "Arabic"), ("สวัสดีครับ", "Thai"), ("नमस्ते", "Devanagari"), ("বাংলা", "Bengali"),
        ("தமிழ்", "Tamil"), ("తెలుగు", "Telugu"), ("ગુજરાતી", "Gujarati"), ("ਪੰਜਾਬੀ", "Gurmukhi"),
        ("ಕನ್ನಡ", "Kannada"), ("മലയാളം", "Malayalam"), ("සිංහල", "Sinhala"), ("ລາວ", "Lao"), ("မြန်မာ", "Myanmar"),
        ("ខ្មែរ", "Khmer"), ("ქართული", "Georgian"), ("հայերեն", "Armenian"), ("አማርኛ", "Ethiopic"),
        ("您的账户已被锁定", "Han"), ("ひらがなとカナ", "Kana"), ("안녕하세요", "Hangul"), ("ᏣᎳᎩ", "another script"),
        ("123 456 !?", NO_LETTERS), ("🎁🎁 100% €£฿", NO_LETTERS), ("", NO_LETTERS), (None, NO_LETTERS),
        ("१२३", NO_LETTERS), ("๑๒๓", NO_LETTERS),
    ],
)  # fmt: skip
def test_scripts_of_texts(text: str | None, script: str) -> None:
    assert of(text) == [script]


def test_most_letters_decide_whatever_stands_around_them() -> None:
    assert of("OTP 1234 ваш код для входа", "ok ใช่", "abc где", "click http://bit.example สวัสดี") == [
        "Cyrillic",
        "Thai",
        "Latin",
        "Latin",
    ]


def test_every_row_gets_its_own_script_in_slices_too() -> None:
    texts = pa.array(["first", None, "где", "", "สวัสดี", "last", "éé"], pa.large_string())
    expected = ["Latin", NO_LETTERS, "Cyrillic", NO_LETTERS, "Thai", "Latin", "Latin"]
    for start in range(8):
        assert [NAMES[at] for at in majority(texts.slice(start)).tolist()] == expected[start:]


def test_ranges_do_not_overlap_and_rise() -> None:
    every = sorted(one for ranges in RANGES.values() for one in ranges)
    assert all(first <= last for first, last in every)
    assert all(before[1] < after[0] for before, after in pairwise(every))


def test_letters_are_in_the_range_of_the_script_that_unicode_names_them_after() -> None:
    place = {code: name for name, ranges in RANGES.items() for first, last in ranges for code in range(first, last + 1)}
    by_begin = {begin: name for name, begins in CALLED.items() for begin in begins}
    wrong = []
    for code in range(0x20000):
        if not chr(code).isalpha():
            continue
        if chr(code) == "\N{GREEK NUMERAL SIGN}":  # a letter by its category only
            continue
        called = unicodedata.name(chr(code), "")
        name = next((name for begin, name in by_begin.items() if called.startswith(f"{begin} ")), None)
        if name is not None and place.get(code) != name:
            wrong.append(f"U+{code:04X} {called} is {place.get(code)}")
    assert not wrong, f"{len(wrong)}: {wrong[:40]}"


def test_digits_and_punctuation_are_letters_of_no_script() -> None:
    place = {code for ranges in RANGES.values() for first, last in ranges for code in range(first, last + 1)}
    numbers = [code for code in range(0x1000) if unicodedata.category(chr(code)) in ("Nd", "Sc", "Po", "Sm")]
    assert len(numbers) > 200
    assert not [unicodedata.name(chr(code)) for code in numbers if code in place]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], max_codepoint=sys.maxunicode)), max_size=6))
def test_counting_in_bytes_agrees_with_counting_characters(texts: list[str]) -> None:
    place = {code: name for name, ranges in RANGES.items() for first, last in ranges for code in range(first, last + 1)}
    for text, script in zip(texts, of(*texts), strict=True):
        counts = Counter(place[ord(char)] for char in text if ord(char) in place)
        most = max(counts.values(), default=0)
        assert script == next((name for name in RANGES if counts[name] == most > 0), NO_LETTERS)
