"""What kind of character each character is, so that a text's form can be searched instead of its characters.

`text.translate(SIGNS)` is a string of the same length, one ASCII sign for each character.
"""

from __future__ import annotations

import unicodedata

from confusable_homoglyphs import categories

from sluice.worker.model.disguise.forms import STRONG, form

SCRIPTS = {"LATIN": "L", "GREEK": "G", "CYRILLIC": "C", "ARMENIAN": "R"}
"""Alphabets whose letters pass for each other's, by their sign."""
SPACELESS = {"HAN": "H", "HIRAGANA": "K", "KATAKANA": "K", "THAI": "T", "LAO": "T", "KHMER": "T", "MYANMAR": "T"}
EXOTIC = frozenset(
    """CHEROKEE COPTIC LISU DESERET TIFINAGH CANADIAN_ABORIGINAL WARANG_CITI OSAGE OLD_ITALIC LYCIAN CARIAN ELBASAN
    RUNIC""".split()
)
"""Scripts hardly met in messages but as imitations of Latin."""
ALPHABETS = "LGCRX"
"""Signs of the letters that imitate or are imitated."""
LETTERS = ALPHABETS + "HKJTa"
INVISIBLE_RANGES = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x0640, 0x0640), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
"""Characters without a shape; the Arabic stretching stroke, which has no meaning, among them."""
AFRICAN = frozenset("ɓɖɗɛɔɣɲʋƴʃʒəɨʉʌʊ")
"""Letters of real orthographies among those of phonetics; schwa of Azerbaijani."""
RARE = frozenset("ƄƅƖƦƧƨƼƽǀ")
"""Latin letters of forgotten alphabets."""
KEPT = 0x20000
"""Signs of characters from here on are not kept, so that no text makes the table large."""


def sign(char: str) -> str:
    """The sign of one character:

    L G C R (alphabets), X (imitations of them), H K J T (Han, Kana, Hangul, spaceless others), a (other letters),
    m (marks), v (virama), 0 (digits), space, "." (punctuation), "$" (symbols), z (invisible), w (letters in another
    form, always), y (letters in another form, within words), i (regional indicators), o (others).
    """
    code = ord(char)
    if any(first <= code <= last for first, last in INVISIBLE_RANGES):
        return "z"
    if 0x1F1E6 <= code <= 0x1F1FF:
        return "i"
    strength, _ = form(char)
    if strength:
        return "w" if strength == STRONG else "y"
    category = unicodedata.category(char)
    if category[0] == "L":
        return _letter(char, code)
    if category[0] == "M":
        return "v" if unicodedata.combining(char) == 9 else "m"
    if category == "Nd":
        return "0"
    if category[0] == "Z" or char.isspace():
        return " "
    return {"P": ".", "S": "$", "N": "$"}.get(category[0], "o")


def _letter(char: str, code: int) -> str:
    script = categories.alias(char)
    if script == "HANGUL":
        return "J"
    if char in RARE or (script == "LATIN" and 0x0250 <= code < 0x02B0 and char not in AFRICAN):
        return "X"
    if script in EXOTIC:
        return "X"
    return SCRIPTS.get(script) or SPACELESS.get(script) or "a"


class Signs(dict[int, str]):
    """A table for `str.translate` that fills itself."""

    def __missing__(self, code: int) -> str:
        found = sign(chr(code))
        if code < KEPT:
            self[code] = found
        return found


SIGNS = Signs()
