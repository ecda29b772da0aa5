"""The bytes of an XML file as the parser takes them: UTF-8, from the first character of the document on."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator

from sluice.backfill.formats.surrogates import Repair
from sluice.tasks.errors import DamagedArchive

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARATION = re.compile(rb"<\?xml\s[^>]*?\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ROOT = re.compile(rb"<[A-Za-z_]")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
#: What may stand before the document without being part of it.
BEFORE = "\ufeff\u200b\u200e\u200f\0 \t\r\n\v\f\u00a0"


def clean(name: str, head: bytes, read: Callable[[int], bytes], chunk_bytes: int, notes: list[str]) -> Iterator[bytes]:
    """All bytes of a file that begins with ``head``; ``read`` gives the rest, ``chunk_bytes`` at once.

    Raises:
        DamagedArchive: it declares an encoding that is not known, or none of one byte a character.
    """
    codec = _codec(name, head)
    decoder = codecs.getincrementaldecoder(codec)("strict")
    repair = Repair()
    data, first = head, True
    while True:
        state = decoder.getstate()
        try:
            text = decoder.decode(data, not data)
        except UnicodeDecodeError:
            decoder.setstate(state)
            decoder.errors = "replace"
            notes.append(f"it has bytes that are no {codec.upper()}: they are read as U+FFFD")
            text = decoder.decode(data, not data)
        clean = text.encode("utf-8", "replace")
        yield repair.feed(_begun(clean) if first else clean)
        first = False
        if not data:
            break
        data = read(chunk_bytes)
    yield repair.finish()


def _begun(head: bytes) -> bytes:
    """``head`` from the document on, with as many lines; a declaration that does not come first is blanked out."""
    text = head.decode("utf-8", "surrogatepass")
    rest = text.lstrip(BEFORE)
    lines = "\n" * text[: len(text) - len(rest)].count("\n")
    body = rest.encode("utf-8", "surrogatepass")
    declaration = _DECLARATION.match(body)
    at = declaration.end() if declaration else 0
    prologue = body[at : _prologue(body)]
    later = _DECLARATION.sub(lambda found: re.sub(rb"[^\n]", b" ", found[0]), prologue)
    # Lines may stand behind a declaration and before anything else, but not before a declaration.
    return body[:at] + lines.encode() + later + body[at + len(prologue) :]


def _prologue(head: bytes) -> int:
    """Where the root element begins."""
    blanked = _COMMENT.sub(lambda found: b" " * len(found[0]), head)
    root = _ROOT.search(blanked)
    return root.start() if root else len(head)


def _codec(name: str, head: bytes) -> str:
    """The encoding of a file that begins with ``head``: what its bytes show before what it declares."""
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec
    if b"\0" in head[:2]:
        return "utf-16-be" if head.startswith(b"\0") else "utf-16-le"
    declaration = _DECLARATION.search(head[: _prologue(head)])
    declared = _ENCODING.search(declaration[0]) if declaration else None
    if declared is None:
        return "utf-8"
    wanted = declared[1].decode().lower()
    if re.match(r"utf|ucs|iso-10646|(us-)?ascii", wanted) or _is_utf8(head):
        return "utf-8"
    try:
        if len(bytes(range(256)).decode(wanted, "replace")) == 256:
            return codecs.lookup(wanted).name
    except (LookupError, ValueError):
        pass
    raise DamagedArchive(f"{name} declares an encoding of texts that is not known")


def _is_utf8(head: bytes) -> bool:
    """Whether it has characters beyond ASCII, and all of them are UTF-8, which others come to by rare chance only."""
    try:
        return not codecs.getincrementaldecoder("utf-8")("strict").decode(head, final=False).isascii()
    except UnicodeDecodeError:
        return False
