"""Compressed message bodies are unpacked up to a limit: a few bytes may stand for more than the worker's memory.

Kombu unpacks while it makes a message, before anyone can look at it; such a message would take down one worker after
the other, and none of them could say why.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

from kombu import compression

from sluice.tasks.errors import InvalidInput

#: Far more than any envelope within the other limits has.
MOST_BYTES = 64 * 1024 * 1024


class Unpacker(Protocol):
    """What ``zlib``, ``bz2`` and ``lzma`` unpack with."""

    @property
    def eof(self) -> bool: ...
    def decompress(self, body: bytes, most: int, /) -> bytes: ...


BOUNDED: dict[str, Callable[[], Unpacker]] = {
    "application/x-gzip": zlib.decompressobj,
    "application/x-bz2": bz2.BZ2Decompressor,
    "application/x-lzma": lambda: lzma.LZMADecompressor(memlimit=2 * MOST_BYTES),
}
#: What these libraries raise over bytes that are none of theirs. One is an OSError, as a lost connection is.
BROKEN = (zlib.error, lzma.LZMAError, EOFError, OSError)


def install() -> None:
    """Put bounded decoders in place of kombu's. What cannot be bounded is as unknown as if it were not installed."""
    for kind in compression.encoders():
        if kind in BOUNDED:
            compression._decoders[kind] = _decoder(BOUNDED[kind])
        else:
            compression._decoders.pop(kind, None)


def _decoder(make: Callable[[], Unpacker]) -> Callable[[bytes], bytes]:
    def unpacked(body: bytes) -> bytes:
        """Raises InvalidInput for a body that unpacks to more than the limit, ends too early, or is no such body."""
        unpacker = make()
        try:
            result: bytes = unpacker.decompress(body, MOST_BYTES + 1)
        except BROKEN:
            raise InvalidInput("the compressed body cannot be unpacked") from None
        if len(result) > MOST_BYTES:
            raise InvalidInput(f"the compressed body unpacks to more than the limit of {MOST_BYTES} bytes")
        if not unpacker.eof:
            raise InvalidInput("the compressed body ends too early")
        return result

    return unpacked
