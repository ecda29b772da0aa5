"""Letters in another form: full width, mathematical alphabets, enclosed, raised, small capitals, presentation forms.

As Unicode's compatibility decomposition (UAX #15), but only of letters and digits: ™, ², ½ and circled numbers mean
something as they are, and the punctuation of Chinese and Japanese is wide by right.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

STRONG, WEAK = 2, 1
ALWAYS = {"<font>", "<wide>", "<narrow>", "<initial>", "<medial>", "<final>", "<isolated>"}
IN_WORDS = {"<circle>", "<square>", "<super>", "<sub>", "<compat>"}
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
        letter = named[1] or named[2] or named[3]
        return WEAK, letter.lower() if "SMALL" in unicodedata.name(char) else letter
    tag = unicodedata.decomposition(char).partition(" ")[0]
    plain = unicodedata.normalize("NFKC", char)
    if not plain.isalpha() and not plain.isdecimal():
        return 0, char
    if tag in ALWAYS:
        return STRONG, plain
    if tag in IN_WORDS and unicodedata.category(char)[0] != "N" and plain.isascii() and len(plain) <= 3:
        return WEAK, plain
    if tag == "<compat>" and unicodedata.category(char) in ("Nl", "Lo", "Ll", "Lu") and len(plain) == 1:
        return WEAK, plain
    return 0, char


def plain_forms(text: str, signs: str) -> str:
    """The text with its letters in their plain form; `signs` are those of the text."""
    if WIDE.search(text):
        cjk = any(sign in signs for sign in "HKJ")
        wide = BETWEEN_WIDE.sub(lambda found: found[0].translate(WIDE_SIGNS), text) if cjk else text
        text = wide if cjk else text.translate(WIDE_SIGNS)
    parts, at = [], 0
    for run in STRONG_RUN.finditer(signs):
        parts += [text[at : run.start()], unicodedata.normalize("NFKC", text[run.start() : run.end()])]
        at = run.end()
    return "".join(parts) + text[at:]


def plain_words(text: str, signs: str) -> str:
    """The text with enclosed, raised and small-capital letters plain where they stand in a word with others."""
    letters = list(text)
    for run in re.finditer(r"[LGCRXaym]{2,}", signs):
        if "y" in run[0]:
            for place in range(*run.span()):
                if signs[place] == "y":
                    letters[place] = form(letters[place])[1]
    alone = [found.start() for found in REGIONAL_ALONE.finditer(signs)]
    if len(alone) >= 3:
        for place in alone:
            letters[place] = chr(ord(letters[place]) - 0x1F1E6 + ord("A"))
    return "".join(letters)
