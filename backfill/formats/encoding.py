"""The encoding of a text file, found from its first bytes."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from sluice.backfill.formats.alphabets import ENCODINGS, latin_of
from sluice.backfill.run.facts import Note, Option, Quoted
from sluice.backfill.table.row import Row
from sluice.tasks.errors import UnreadableArchive
from sluice.tasks.sentence import Sentence

#: Bytes that are looked at.
SAMPLE_BYTES = 1 << 20
#: Bytes with characters beyond ASCII that are enough to tell a legacy encoding by.
LEGACY_BYTES = 1 << 16
#: Longest first, for UTF-32's begins like UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8 = frozenset({"utf-8", "utf-8-sig"})
#: What phones, operators and spreadsheets have written; charset-normalizer chooses among them.
_LEGACY = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874",
    "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "koi8_r", "mac_roman", "cp437", "cp850",
)  # fmt: skip
#: Those that charset-normalizer cannot tell apart.
LATIN = frozenset({*ENCODINGS, "cp1258"})
#: How much that is odd charset-normalizer lets pass, at first and if that leaves nothing.
THRESHOLDS = (0.2, 0.5)
#: Fewer different characters beyond ASCII tell it nothing; if so large a share of them is known there, it is Latin.
FEW, MIN_SHARE = 12, 0.9


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to decode a file; ``note`` says what was found if it is not UTF-8."""

    name: str
    note: Note | None = None

    @property
    def is_utf8(self) -> bool:
        return self.name in _UTF8

    @property
    def errors(self) -> str:
        """Bytes that are not UTF-8 survive as surrogates, so that the output can hold them unchanged."""
        return "surrogateescape" if self.is_utf8 else "replace"


def encoding_of(sample: bytes, wanted: str | None = None) -> Encoding:
    """The encoding of a file that begins with ``sample``; ``wanted`` is what the caller says it is.

    Raises:
        UnreadableArchive: there is no encoding ``wanted``.
    """
    if wanted is not None:
        return Encoding(_known(wanted, sample))
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return Encoding(name, None if name in _UTF8 else f"it is in {name.upper()}")
    wide = _wide(sample)
    if wide is not None:
        return Encoding(wide, f"it is in {wide.upper()}, without a byte order mark")
    if _mostly_utf8(sample):
        return Encoding("utf-8")
    name = _legacy(sample)
    note = Sentence(
        "it is not in UTF-8 and was read as {name}: {option} says otherwise", name=name, option=Option.ENCODING
    )
    return Encoding(name, note)


def decoded(sample: bytes, encoding: Encoding) -> str:
    """``sample`` as text, without a character that it cuts off."""
    return codecs.getincrementaldecoder(encoding.name)(encoding.errors).decode(sample, final=False)


def whole(row: Row) -> Row:
    """``row``, with a problem if bytes of its text were replaced because its encoding does not know them."""
    if row.text is not None and "\ufffd" in row.text:
        row.problem = "the text holds bytes that its encoding does not know"
    return row


def _known(wanted: str, sample: bytes) -> str:
    try:
        name = codecs.lookup(wanted).name
        "".encode(name)  # refuses codecs that are no text encodings
        codecs.getincrementaldecoder(name)("replace").decode(b"\xff")  # refuses those that allow no broken bytes
    except (LookupError, ValueError) as exc:
        raise UnreadableArchive(
            Sentence(
                "there is no text encoding {wanted}: {option} takes such as utf-8, cp1252",
                wanted=Quoted(wanted),
                option=Option.ENCODING,
            )
        ) from exc
    if name == "utf-8":
        return "utf-8-sig"
    marked = next((found for mark, found in _MARKS if sample.startswith(mark)), None)
    # A mark would be a character of the first name where the order of bytes is given too.
    return marked if marked is not None and name.startswith(f"{marked}-") else name


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: of the characters most scripts need, every other byte of separators is zero."""
    head = sample[:4096]
    if head.count(0) < len(head) // 20 + 1:
        return None
    ends = (b"\n\x00", b"\r\x00"), (b"\x00\n", b"\x00\r")
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 4 * even and any(end in head for end in ends[0]):
        return "utf-16-le"
    if even > 4 * odd and any(end in head for end in ends[1]):
        return "utf-16-be"
    return None


def _mostly_utf8(sample: bytes) -> bool:
    """Whether it is UTF-8, perhaps with broken bytes here and there.

    In another encoding, sequences that are valid UTF-8 beyond ASCII come about by rare chance only.
    """
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(sample, final=False)
    beyond = re.findall(r"[^\x00-\x7f]", text)
    broken = sum("\udc80" <= char <= "\udcff" for char in beyond)
    return broken == 0 or len(beyond) - broken > broken


def _legacy(sample: bytes) -> str:
    import charset_normalizer

    lines = re.split(rb"[\r\n]+", sample)
    if len(sample) >= SAMPLE_BYTES and len(lines) > 1:
        lines.pop()  # half a character at its end would speak against every encoding that is meant
    telling = b"\n".join(line for line in lines if not line.isascii())
    if len(telling) > LEGACY_BYTES:
        cut = telling.rfind(b"\n", 0, LEGACY_BYTES)
        telling = telling[: cut if cut > 0 else LEGACY_BYTES]
    best = None
    for threshold in THRESHOLDS:
        best = best or charset_normalizer.from_bytes(telling, threshold=threshold, cp_isolation=list(_LEGACY)).best()
    latin, share, different = latin_of(telling)
    if best is None or best.encoding in LATIN or (share > MIN_SHARE and different < FEW):
        return latin
    return best.encoding
