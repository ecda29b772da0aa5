"""Request bodies that come compressed."""

from __future__ import annotations

import gzip
import io
import zlib

from sluice.tasks.errors import BadRequest, TooLarge, UnsupportedMediaType

#: What ``Content-Encoding`` may say; anything else is 415.
ACCEPTED = ("gzip", "identity")
GZIP_NAMES = frozenset({"gzip", "x-gzip"})
GZIP_MAGIC = b"\x1f\x8b"


def unpacked(body: bytes, content_encoding: str | None, limit: int) -> bytes:
    """A body as it was before it was compressed, of at most ``limit`` bytes; never more than that is made.

    Raises:
        UnsupportedMediaType: compressed in another way, or more than once.
        BadRequest: it is not what ``Content-Encoding`` says, or it ends too early.
        TooLarge: it is over the limit.
    """
    coded = [name for name in codings(content_encoding) if name != "identity"]
    if not coded:
        return body
    if len(coded) > 1 or coded[0] not in GZIP_NAMES:
        raise refused("send the body as it is, or compressed with gzip once")
    return _gunzip(body, limit)


def codings(content_encoding: str | None) -> list[str]:
    """The names in a ``Content-Encoding`` header, in lower case."""
    return [name.strip().lower() for name in (content_encoding or "").split(",") if name.strip()]


def refused(message: str, *accepted: str) -> UnsupportedMediaType:
    return UnsupportedMediaType(message, {"field": "Content-Encoding", "accepted": list(accepted or ACCEPTED)})


def _gunzip(body: bytes, limit: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as members:
            found = members.read(limit + 1)
    except (OSError, EOFError, zlib.error):
        raise _damaged() from None
    if len(found) > limit:
        raise TooLarge(
            f"the body is larger than the limit of {limit} bytes when it is unpacked", {"limit": limit, "field": "body"}
        )
    return found


def _damaged() -> BadRequest:
    return BadRequest("the body is not gzip, as Content-Encoding says, or it ends too early", {"field": "body"})
