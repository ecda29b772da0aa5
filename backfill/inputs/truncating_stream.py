"""A stream that ends where its damage begins."""

from __future__ import annotations

import io
import lzma
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO
from zipfile import BadZipFile

from sluice.backfill.run.facts import Reason
from sluice.tasks.errors import DamagedArchive, SluiceError, UnreadableArchive
from sluice.tasks.sentence import Sentence

#: What reading and unpacking raises when the bytes are not what they should be. RuntimeError and NotImplementedError
#: are zipfile's, for members that are encrypted or packed in a way that it does not know.
DAMAGE = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    BadZipFile,
    NotImplementedError,
    RuntimeError,
)

#: Where the libraries' words show bytes of the input: what is said instead.
OWN_WORDS = {
    "Not a gzipped file": "bytes that are not gzip data",
    "File name in directory": "a ZIP entry whose two headers have different names",
    "Bad CRC-32": "a checksum that does not fit",
}


class TruncatingStream(io.RawIOBase):
    """Unpacked bytes of one input. What is good before the damage is worth having: there the stream ends.

    Args:
        name: what messages call the input.
        streams: the stream to read, after those that it reads from; all are closed with it.
        passed: told how many bytes have been read, after each slice; may raise.
        broken: told why the stream ends early.

    Raises:
        UnreadableArchive: (on read) nothing of it is good, or the disk or the network fails.
    """

    def __init__(
        self,
        name: str,
        streams: list[BinaryIO],
        passed: Callable[[int], None],
        broken: Callable[[UnreadableArchive], None],
    ) -> None:
        self._name = name
        self._streams = streams
        # What is left of a damaged stream comes with ``read1``; ``read`` would lose it to the error behind it.
        self._read: Callable[[int], bytes] = getattr(streams[-1], "read1", streams[-1].read)
        self._passed = passed
        self._broken = broken
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._read(len(buffer))
        except SluiceError:
            raise
        except DAMAGE as exc:
            damage = damaged(self._name, exc, self._count)
            # An error with a number is the system's: the bytes may be there the next time.
            if not self._count or getattr(exc, "errno", None):
                raise damage from exc
            self._broken(damage)
            return 0
        buffer[: len(data)] = data
        self._count += len(data)
        self._passed(self._count)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            for stream in reversed(self._streams):
                with suppress(*DAMAGE):
                    stream.close()
        super().close()


def damaged(name: str, exc: BaseException, count: int) -> UnreadableArchive:
    """The error for an input of which ``count`` unpacked bytes could be read before ``exc``."""
    reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    for words, ours in OWN_WORDS.items():
        if reason.startswith(words):
            reason = ours
    # An error with a number is the system's: nothing is wrong with the file.
    kind = UnreadableArchive if getattr(exc, "errno", None) else DamagedArchive
    sentence = Sentence(
        "{file} is damaged or cut off: {count} bytes of it could be read, then: {reason}",
        file=name,
        count=f"{count:,}",
        reason=Reason(reason),
    )
    return kind(sentence, {"bytes": count})
