"""The repair of references that XML forbids."""

from __future__ import annotations

from random import Random
from xml.parsers import expat

import pytest
from hypothesis import given, strategies as st

from sluice.backfill.formats.surrogates import Repair


def repaired(*pieces: bytes) -> bytes:
    repair = Repair()
    return b"".join(map(repair.feed, pieces)) + repair.finish()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"&#55357;&#56832;", b"&#128512;"),
        (b"&#xD83D;&#xDE00;", b"&#128512;"),
        (b"&#xd83d;&#56832;", b"&#128512;"),
        (b"&#0055357;&#56832;", b"&#128512;"),
        (b"&#55357;&#55357;&#56832;", b"&#65533;&#128512;"),
        (b"&#55357; &#56832;", b"&#65533; &#65533;"),
        (b"&#56832;&#55357;", b"&#65533;&#65533;"),
        (b"&#55357;&amp;", b"&#65533;&amp;"),
        (b"&#0;&#11;&#x1F;&#xFFFE;&#1114112;", b"&#65533;" * 5),
        (b"a\x00b\x0bc", b"a&#65533;b&#65533;c"),
    ],
)
def test_what_is_forbidden_becomes_what_is_meant(written: bytes, meant: bytes) -> None:
    assert repaired(written) == meant


def test_what_is_allowed_passes_unchanged() -> None:
    allowed = (
        "&#10;&#9;&#13;&#32;&#xD7FF;&#55295;&#57344;&#xE000;&#65533;&#x10FFFF;&#;&#x;&amp; &# 5; é😀\r\n\t".encode()
    )
    assert repaired(allowed) == allowed


CODES = st.one_of(st.integers(0, 0x10FFFF), st.integers(0xD7FE, 0xE001), st.sampled_from([0, 9, 31, 0xFFFD, 0xFFFF]))


@given(st.lists(CODES, max_size=12), st.randoms(use_true_random=False))
def test_any_characters_cut_anywhere_reach_the_parser_as_utf16_has_them(codes: list[int], random: Random) -> None:
    units = [unit for code in codes for unit in as_units(code)]
    document = b'<a b="' + b"".join(reference(unit, random) for unit in units) + b'"/>'
    cuts = sorted(random.randrange(len(document) + 1) for _ in range(4))
    pieces = [document[start:end] for start, end in zip([0, *cuts], [*cuts, len(document)], strict=True)]
    assert repaired(*pieces) == repaired(document)
    assert parsed(repaired(*pieces)) == expected(units)


def as_units(code: int) -> list[int]:
    return [code] if code < 0x10000 else [0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF)]


def reference(unit: int, random: Random) -> bytes:
    form = random.choice(["&#%d;", "&#x%X;", "&#x%x;", "&#0%d;"])
    return (form % unit).encode()


def expected(units: list[int]) -> str:
    joined = b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le", "surrogatepass")
    text = joined.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return "".join(char if allowed(ord(char)) else "\ufffd" for char in text)


def allowed(code: int) -> bool:
    return code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF


def parsed(document: bytes) -> str:
    found: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, attributes: found.append(attributes["b"])
    parser.Parse(document, True)
    return found[0]
