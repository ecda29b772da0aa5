"""The text in a typedstream."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from sluice.backfill.formats.typedstream import text_of

HEAD = b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84"
PLAIN = HEAD + b"\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85\x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+"
MUTABLE = (
    HEAD
    + b"\x19NSMutableAttributedString\x00\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85\x92"
    + b"\x84\x84\x84\x0fNSMutableString\x01\x84\x84\x08NSString\x01\x95\x84\x01+"
)
TAIL = b"\x86\x84\x02iI\x01\x06\x92\x84\x84\x84\x0cNSDictionary\x00\x94\x84\x01i\x01\x86\x86"


def stream(text: str, start: bytes = PLAIN) -> bytes:
    data = text.encode()
    if len(data) < 0x80:
        length = bytes([len(data)])
    elif len(data) < 0x10000:
        length = b"\x81" + len(data).to_bytes(2, "little")
    else:
        length = b"\x82" + len(data).to_bytes(4, "little")
    return start + length + data + TAIL


@pytest.mark.parametrize("start", [PLAIN, MUTABLE])
@pytest.mark.parametrize(
    "text", ["", "See you 😀", "x" * 127, "x" * 128, "é" * 500, "y" * 70_000, "NSString \x84\x01+"]
)
def test_a_text_of_any_length_is_found(text: str, start: bytes) -> None:
    assert text_of(stream(text, start)) == text


@given(st.text(max_size=300))
def test_any_text_comes_back(text: str) -> None:
    assert text_of(stream(text)) == text


def test_a_big_endian_stream_is_read_too() -> None:
    start = PLAIN.replace(b"streamtyped", b"typedstream")
    assert text_of(start + b"\x81\x01\x00" + b"x" * 256 + TAIL) == "x" * 256


@pytest.mark.parametrize("cut", [len(PLAIN), len(PLAIN) + 1, len(PLAIN) + 2, len(PLAIN) + 100])
def test_a_cut_off_stream_holds_no_text(cut: int) -> None:
    assert text_of(stream("z" * 200)[:cut]) is None


def test_other_things_hold_no_text() -> None:
    assert text_of(b"") is None
    assert text_of(b"bplist00" + PLAIN) is None
    assert text_of(PLAIN + b"\x83\x00\x00") is None


@given(st.binary(max_size=200), st.integers(0, len(PLAIN)))
def test_junk_never_raises(junk: bytes, kept: int) -> None:
    found = text_of(PLAIN[:kept] + junk)
    assert found is None or len(found) <= len(junk)
