"""Which encoding of the Latin script a text is in, by the letters that languages have.

They share most of their bytes, and statistics of letters do not tell them apart in short messages.
"""

from __future__ import annotations

from collections import Counter

#: Letters beyond ASCII by language, by the encodings that have them. Of equal ones the first is meant.
_WESTERN = (
    "äöüß",
    "àâæçéèêëîïôœùûüÿ",
    "áéíñóúü",
    "áâãàçéêíóôõúü",
    "àèéìíòóù",
    "åäöæøé",
    "áðéíóúýþæö",
    "áéèëêïíóöüú",
    "àçèéíïòóúü",
)
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž", "čšž")
_LETTERS = {
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "cp1254": ("çğıiöşüâîû",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž"),
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp437": _WESTERN,
}
ENCODINGS = tuple(_LETTERS)
#: Characters that all of them write.
_SIGNS = frozenset("\xa0‘’‚“”„–—…•€£§°«»©®™´`·¡¿ªº¢¥×½²³")


def latin_of(sample: bytes) -> tuple[str, float, int]:
    """The encoding in whose best language most characters beyond ASCII are known, their share, and how many differ."""
    counts = Counter(byte for byte in sample if byte >= 0x80)
    shares = {encoding: _share(encoding, counts) for encoding in ENCODINGS}
    best = max(ENCODINGS, key=lambda encoding: shares[encoding])
    return best, shares[best], len(counts)


def _share(encoding: str, counts: Counter[int]) -> float:
    chars: Counter[str] = Counter()
    for byte, count in counts.items():
        chars[bytes([byte]).decode(encoding, "replace").lower()[0]] += count
    total = sum(counts.values())
    signs = sum(count for char, count in chars.items() if char in _SIGNS)
    known = max(sum(chars[char] for char in set(letters)) for letters in _LETTERS[encoding])
    return (known + signs) / total if total else 0.0
