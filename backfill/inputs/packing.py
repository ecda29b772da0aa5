"""Packed bytes, told by their first ones, and streams that unpack them."""

from __future__ import annotations

import bz2
import gzip
import io
from typing import Any, BinaryIO, cast

#: Bytes that are enough to tell a packing by.
HEAD_BYTES = 16
#: How much of a packed file is read at once.
CHUNK_BYTES = 1 << 18
#: How much is read at once from what loses all of it when it meets damage: members of ZIP files, Zstandard.
PIECE_BYTES = 1 << 14

_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"
_BZIP2_BLOCKS = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")


def packing_of(head: bytes) -> str | None:
    """``gz``, ``bz2``, ``zst`` or ``zip``, by the first ``HEAD_BYTES``; None for anything else."""
    if head.startswith(b"\x1f\x8b\x08"):
        return "gz"
    if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS:
        return "bz2"
    if head.startswith(_ZSTD) or (head[1:4] == _ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F):
        return "zst"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return None


def unpacked(packed: BinaryIO, kind: str) -> BinaryIO:
    """The bytes of a ``gz``, ``bz2`` or ``zst`` stream, of all its members, streams or frames."""
    if kind == "gz":
        return cast("BinaryIO", gzip.GzipFile(fileobj=packed, mode="rb"))
    if kind == "bz2":
        return cast("BinaryIO", bz2.BZ2File(packed))
    return cast("BinaryIO", io.BufferedReader(_Zstd(packed), PIECE_BYTES))


class _Zstd(io.RawIOBase):
    """Unpacks a ``zst`` stream in pieces."""

    def __init__(self, packed: BinaryIO) -> None:
        import pyarrow as pa

        self._stream = pa.CompressedInputStream(pa.PythonFile(packed, "r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data: bytes = self._stream.read(min(len(buffer), PIECE_BYTES))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


class Counted(io.RawIOBase):
    """Counts the bytes that are read from ``stream``, which is closed with it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(min(len(buffer), PIECE_BYTES))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
