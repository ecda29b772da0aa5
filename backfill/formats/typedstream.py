"""The text in Apple's typedstream, the serialisation of ``NSArchiver``, as Messages stores it in ``attributedBody``.

A stream begins with its version and its byte order. A message is an attributed string: objects whose first string is
the text. Where the class ``NSString`` is first named, its value follows as the type ``+`` and a length with that many
bytes of UTF-8. A length is one byte, or a mark and two or four bytes.
"""

from __future__ import annotations

from typing import Literal

#: What a stream begins with, after one byte of version, and the byte order of its numbers.
SIGNATURES: dict[bytes, Literal["little", "big"]] = {b"\x0bstreamtyped": "little", b"\x0btypedstream": "big"}
#: A class name with its length before it; the names of attributed strings do not contain it.
STRING_CLASS = b"\x08NSString"
#: A new type of one letter, ``+``: bytes with a length.
BYTES_TYPE = b"\x84\x01+"
#: Bytes between the class name and its value: the class's version and the end of its parents.
NEAR = 64
#: Marks of a length, and the bytes that it has.
LENGTHS = {0x81: 2, 0x82: 4}
FIRST_MARK = 0x80


def text_of(stream: bytes) -> str | None:
    """The text of a stream; None if it holds none or is no typedstream. Never raises."""
    order = SIGNATURES.get(stream[1:13])
    if order is None:
        return None
    named = stream.find(STRING_CLASS)
    if named < 0:
        return None
    named += len(STRING_CLASS)
    at = stream.find(BYTES_TYPE, named, named + NEAR)
    if at < 0:
        return None
    at += len(BYTES_TYPE)
    mark = stream[at : at + 1]
    if not mark:
        return None
    length, at = mark[0], at + 1
    if length >= FIRST_MARK:
        size = LENGTHS.get(length)
        if size is None:
            return None
        length, at = int.from_bytes(stream[at : at + size], order), at + size
    if at + length > len(stream):
        return None
    return stream[at : at + length].decode("utf-8", "replace")
