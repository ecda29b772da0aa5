"""Letters of one alphabet in the words of another.

Which letters look alike is Unicode's word (UTS #39, confusables.txt, through confusable-homoglyphs), without regard to
case; a few more pass for each other in drawn letters. Only words that mix alphabets, or that are imitations from
end to end amid another alphabet, are changed: a Russian or Greek word stays what it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

from confusable_homoglyphs import categories
from confusable_homoglyphs.confusables import confusables_data

from sluice.worker.model.disguise.signs import ALPHABETS, SCRIPTS

NAMES = {sign: script for script, sign in SCRIPTS.items()}
DRAWN = ("пn", "иu", "яr", "гr", "шw", "ηn", "μu", "ωw", "εe", "σo", "λa", "цu", "ҽe", "ɛe", "əe", "ƨs", "бb", "зe")
"""Pairs that no table of Unicode's holds, the Latin letter last."""
ORDINARY = {"L": (0x61, 0x7A), "G": (0x3B1, 0x3C9), "C": (0x430, 0x45F), "R": (0x561, 0x586)}
"""First and last lower-case letter of what the languages of a script write."""
WORD = re.compile(f"[{ALPHABETS}][{ALPHABETS}mv]*")
RUN = re.compile(r"([LGCRX])[mv]*(?:\1[mv]*)*")
OFTEN = 2
"""Words that mix alphabets, and at least a quarter of all."""
SHORTEST = 3
"""Letters of a word that may be an imitation from end to end."""
LONGEST = 200
"""Characters of a word that is looked at; more are no word."""


def _alike(char: str) -> set[str]:
    """The letters that Unicode lists as alike, itself included."""
    found = {char} | {other["c"] for other in confusables_data.get(char, ())}
    return found | {other["c"] for near in tuple(found) for other in confusables_data.get(near, ())}


@lru_cache(maxsize=20_000)
def counterpart(char: str, script: str, loosely: bool = True) -> str | None:
    """The letter of `script`, one of SCRIPTS' signs, that `char` passes for, in the case of `char`; None without one.

    `loosely`: by DRAWN and by the capitals too, "к" for "k", "т" for "t".
    """
    first, last = ORDINARY[script]
    upper = char.isupper()
    bare = unicodedata.normalize("NFD", char)
    base, marks = bare[0], bare[1:]
    drawn = [pair.replace(base.lower(), "", 1) for pair in DRAWN if loosely and base.lower() in pair]
    by_form = sorted(_alike(base), key=lambda other: (other.isupper() != upper, other))
    by_case = sorted(other.lower() for other in _alike(base.upper())) if loosely else []
    for other in (*by_form, *drawn, *by_case):
        if len(other) == 1 and first <= ord(other.lower()) <= last and categories.alias(other) == NAMES[script]:
            found = other.upper() if upper and len(other.upper()) == 1 else other.lower()
            return unicodedata.normalize("NFC", found + marks)
    return None


def unlike(text: str, signs: str) -> str:
    """The text with imitated letters in the alphabet of their word or, failing that, of the message."""
    words = [found.span() for found in WORD.finditer(signs)]
    main = _main_script(text, signs, words)
    mixed = sum(len(set(signs[start:end]) & set(ALPHABETS)) > 1 for start, end in words)
    often = mixed >= OFTEN and mixed * 4 >= len(words)
    parts, at = [], 0
    for start, end in words:
        if end - start > LONGEST:
            continue
        parts += [text[at:start], _plain_word(text[start:end], signs[start:end], main, often)]
        at = end
    return "".join(parts) + text[at:]


def _main_script(text: str, signs: str, words: list[tuple[int, int]]) -> str:
    """The sign of the script with the most letters that pass for no other's."""
    votes: Counter[str] = Counter()
    for start, end in words:
        for char, sign in zip(text[start:end], signs[start:end], strict=True):
            if sign in NAMES:
                rivals = [other for other in ("L", "C", "G") if other != sign and other in signs]
                votes[sign] += 3 if all(counterpart(char, rival) is None for rival in rivals) else 1
    return max(votes, key=lambda sign: (votes[sign], sign == "L")) if votes else "L"


def _plain_word(word: str, signs: str, main: str, often: bool) -> str:
    """One word in one alphabet, if it can be.

    `often`: so many words of the message mix alphabets that it is a disguise.
    """
    present = set(signs) & set(ALPHABETS)
    if len(present) == 1:
        (own,) = present
        # Of words wholly in another alphabet only full imitations are changed. Latin words amid Cyrillic are names more
        # often than not.
        if own == main or (own in "LG" and not often):
            return word
        if own != "X" and len(word) < SHORTEST:
            return word
        plain, left = _into(word, signs, main, loosely=own == "X")
        return word if left else plain
    choices = [sign for sign in NAMES if sign in present] or [main]
    if main not in choices:
        choices.append(main)
    # One change of alphabet is how borrowed words are written: "USBшный".
    loosely = len(RUN.findall(signs)) > 2
    folds = {sign: _into(word, signs, sign, loosely) for sign in choices}
    best = min(choices, key=lambda sign: (folds[sign][1], sign != main, -signs.count(sign)))
    plain, left = folds[best]
    return plain if left == 0 or loosely else word


def _into(word: str, signs: str, script: str, loosely: bool) -> tuple[str, int]:
    """The word in `script`, and how many letters have no counterpart there."""
    letters, left = [], 0
    for char, sign in zip(word, signs, strict=True):
        other = char if sign in script + "mv" else counterpart(char, script, loosely)
        left += other is None
        letters.append(other or char)
    return "".join(letters), left
