"""Letters in another form: full width, mathematical alphabets, enclosed, raised, small capitals, presentation forms.

As Unicode's compatibility decomposition (UAX #15), but only of letters and digits: ™, ², ½ and circled numbers mean
something as they are, and the punctuation of Chinese and Japanese is wide by right.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from confusable_homoglyphs.confusables import confusables_data

STRONG, WEAK = 2, 1
ALWAYS = {"<font>", "<wide>", "<narrow>", "<initial>", "<medial>", "<final>", "<isolated>"}
IN_WORDS = {"<circle>", "<square>", "<super>", "<sub>", "<compat>"}
VOICED = "\uff9e\uff9f"
"""Narrow voice marks, which go with the kana before."""
KEPT = frozenset("ªº™℠℡№℃℉ℹ")
NAMED = re.compile(
    r"(?:NEGATIVE |CROSSED NEGATIVE )?(?:CIRCLED|SQUARED|PARENTHESIZED) LATIN (?:CAPITAL|SMALL) LETTER ([A-Z])"
    r"|LATIN LETTER SMALL CAPITAL ([A-Z])|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])"
)
"""Forms that Unicode names but does not decompose."""
WIDE_SIGNS = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}
BETWEEN_WIDE = re.compile("(?<=[０-９Ａ-Ｚａ-ｚ])[！-／：-＠［-｀｛-～]+(?=[０-９Ａ-Ｚａ-ｚ])")
WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ]")
STRONG_RUN = re.compile("w+")
MANY = 4
"""Letters in another form that are no accident."""
REGIONAL_ALONE = re.compile("(?<!i)i(?!i)")


@lru_cache(maxsize=20_000)
def form(char: str) -> tuple[int, str]:
    """How surely a character is a letter in another form, and the letter.

    STRONG anywhere, WEAK within words only, 0 not at all.
    """
    if char < "\x80" or char in KEPT:
        return 0, char
    named = NAMED.fullmatch(unicodedata.name(char, ""))
    if named:
        # Small, for most of these alphabets have capitals only.
        return WEAK, (named[1] or named[2] or named[3]).lower()
    if char in VOICED:
        return STRONG, unicodedata.normalize("NFKC", char)
    if 0x2E80 <= ord(char) <= 0x2FDF:
        return STRONG, _ideograph(char)
    tag = unicodedata.decomposition(char).partition(" ")[0]
    plain = unicodedata.normalize("NFKC", char)
    if not plain.isalpha() and not plain.isdecimal():
        return 0, char
    if tag in ALWAYS:
        return STRONG, plain
    if tag in IN_WORDS and unicodedata.category(char)[0] != "N" and plain.isascii() and len(plain) <= 3:
        return WEAK, plain
    if tag == "<compat>" and unicodedata.category(char) == "Nl" and len(plain) == 1:
        return WEAK, plain
    return 0, char


def _ideograph(radical: str) -> str:
    """The character that a radical of a dictionary's index looks like."""
    plain = unicodedata.normalize("NFKC", radical)
    alike = [other["c"] for other in confusables_data.get(radical, ()) if unicodedata.category(other["c"][0]) == "Lo"]
    return plain if plain != radical or not alike else str(alike[0])


def plain_forms(text: str, signs: str) -> str:
    """The text with its letters in their plain form; `signs` are those of the text."""
    if WIDE.search(text):
        cjk = any(sign in signs for sign in "HKJ")
        wide = BETWEEN_WIDE.sub(lambda found: found[0].translate(WIDE_SIGNS), text) if cjk else text
        text = wide if cjk else text.translate(WIDE_SIGNS)
    parts, at = [], 0
    for run in STRONG_RUN.finditer(signs):
        start, end = run.span()
        parts += [text[at:start], unicodedata.normalize("NFKC", "".join(form(char)[1] for char in text[start:end]))]
        at = end
    return "".join(parts) + text[at:]


def plain_words(text: str, signs: str) -> str:
    """The text with enclosed, raised and small-capital letters plain where they stand in a word, or are many."""
    letters = list(text)
    many = signs.count("y") >= MANY
    for run in re.finditer(r"[LGCRXaym]+", signs):
        if "y" in run[0] and (many or len(run[0]) > 1):
            for index in range(*run.span()):
                if signs[index] == "y":
                    letters[index] = form(letters[index])[1]
    alone = [found.start() for found in REGIONAL_ALONE.finditer(signs)]
    if len(alone) >= MANY:
        for index in alone:
            letters[index] = chr(ord(letters[index]) - 0x1F1E6 + ord("a"))
    return "".join(letters)
