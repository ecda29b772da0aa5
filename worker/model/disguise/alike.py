"""Letters of one alphabet in the words of another.

Which letters look alike is Unicode's word (UTS #39, confusables.txt, through confusable-homoglyphs), without regard to
case; a few more pass for each other in drawn letters. Only words that mix alphabets, or that are imitations from
end to end amid another alphabet, are changed: a Russian or Greek word stays what it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from confusable_homoglyphs import categories
from confusable_homoglyphs.confusables import confusables_data

from sluice.worker.model.disguise.signs import ALPHABETS, SCRIPTS

NAMES = {sign: script for script, sign in SCRIPTS.items()}
DRAWN = ("пn", "иu", "яr", "гr", "шw", "ηn", "μu", "ωw", "εe", "σo", "цu", "ҽe", "ɛe", "əe", "ƨs", "бb", "зe")
"""Pairs that no table of Unicode's holds, the Latin letter last."""
CLOSER = {"ӏ": "l"}
"""Where Unicode sees another letter than readers: it takes the palochka for an i."""
ORDINARY = {"L": (0x61, 0x7A), "G": (0x3B1, 0x3C9), "C": (0x430, 0x45F), "R": (0x561, 0x586)}
"""First and last lower-case letter of what the languages of a script write."""
WORD = re.compile(f"[{ALPHABETS}][{ALPHABETS}mv]*")
RUN = re.compile(r"([LGCRX])[mv]*(?:\1[mv]*)*")
OFTEN = 2
"""Words that mix alphabets, and at least a quarter of all."""
SHORTEST = 3
"""Letters of a word that may be an imitation from end to end."""
UNLIKE, LOOSE = 3.0, 0.5
"""What a letter without a counterpart, and one with a loose one, weigh."""
VOWELS = "аеёиоуыэюяіїєaeoyui"
"""Of Cyrillic, and the Latin letters that pass for them."""
LONGEST = 200
"""Characters of a word that is looked at; more are no word."""


def _alike(char: str) -> list[str]:
    """The letters that Unicode lists as alike: those that it names with this one first, then those that they bring."""
    direct = sorted({char} | {other["c"] for other in confusables_data.get(char, ())})
    return direct + sorted({other["c"] for near in direct for other in confusables_data.get(near, ())} - set(direct))


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
    cased = base.isupper() or base.islower()
    by_form = [other for other in _alike(base) if not cased or other.isupper() == upper]
    by_case = [other.lower() for other in _alike(base.upper())] if loosely else []
    for other in (*CLOSER.get(char, ""), *by_form, *drawn, *by_case):
        if len(other) == 1 and first <= ord(other.lower()) <= last and categories.alias(other) == NAMES[script]:
            found = other.upper() if upper and len(other.upper()) == 1 else other.lower()
            composed = unicodedata.normalize("NFC", found + marks)
            if len(composed) == 1:
                return composed
    return None


def _sequences() -> dict[str, str]:
    """Letters of Indic scripts and Thai by the two characters that look like them: a vowel sign after a vowel."""
    found = {"\u0e40\u0e40": "\u0e41"}
    for letter, others in confusables_data.items():
        if len(letter) == 1 and "\u0900" <= letter < "\u1000" and unicodedata.category(letter) == "Lo":
            pairs = [other["c"] for other in others if len(other["c"]) == 2]
            marked = [pair for pair in pairs if unicodedata.category(pair[1])[0] == "M"]
            own = categories.alias(letter)
            found.update({pair: letter for pair in marked if {categories.alias(sign) for sign in pair} == {own}})
    return found


SEQUENCES = _sequences()
SEQUENCE = re.compile("|".join(sorted(SEQUENCES)))
PERSIAN = str.maketrans("يكڪې", "یککی")
ARABIC = str.maketrans("یکڪېہ", "يككيه")
"""Letters of one language in place of the other's; both are of one script, and no table of Unicode's has them."""
ONLY_PERSIAN = re.compile("[پچژگٹڈڑےں]")
ONLY_ARABIC = re.compile(r"[ةيىكإېڪ]|\bال\w\w")
FOREIGN = re.compile("[یکڪېہ]")
KANA = {
    ord(kana): str(other["c"])
    for kana in map(chr, range(0x30A1, 0x30FD))
    for other in confusables_data.get(kana, ())
    if categories.alias(other["c"][0]) == "HAN"
}


def same_script(text: str, signs: str) -> str:
    """The text with letters that imitate others of their own script: Indic vowels, Arabic for Persian, kana for Han."""
    if "m" in signs or "T" in signs:
        text = SEQUENCE.sub(lambda found: SEQUENCES[found[0]], text)
    if "a" in signs:
        if ONLY_PERSIAN.search(text):
            return text.translate(PERSIAN)
        if FOREIGN.search(text) and ONLY_ARABIC.search(text):
            return text.translate(ARABIC)
    if "K" in signs and 3 * signs.count("K") < signs.count("H"):
        kana = {ord(char) for char, sign in zip(text, signs, strict=False) if sign == "K"}
        return text.translate(KANA) if kana <= KANA.keys() else text
    return text


def unlike(text: str, signs: str) -> str:
    """The text with imitated letters in the alphabet of their word or, failing that, of the message."""
    words = [found.span() for found in WORD.finditer(signs)]
    running = [(text[start:end], signs[start:end]) for start, end in words if not _in_link(text, start, end)]
    present = [sign for sign in NAMES if sign in signs] or ["L"]
    main = min(present, key=lambda script: _cost(running, script))
    mixed = sum(len(set(word_signs) & set(ALPHABETS)) > 1 for _, word_signs in running)
    often = mixed >= OFTEN and mixed * 4 >= len(running)
    genuine = {own for own in present if own != main and _has_words(running, own, main, often)}
    parts, at = [], 0
    for start, end in words:
        if end - start > LONGEST:
            continue
        here = "L" if _in_link(text, start, end) else main
        parts += [text[at:start], _plain_word(text[start:end], signs[start:end], here, often, genuine)]
        at = end
    return "".join(parts) + text[at:]


def _cost(words: Sequence[tuple[str, str]], script: str) -> tuple[float, int]:
    """How badly words go into `script`: most for letters that imitate nothing of it, then for those that do loosely."""
    cost, own = 0.0, 0
    for word, signs in words:
        for char, sign in zip(word, signs, strict=True):
            if sign == script:
                own += 1
            elif sign in ALPHABETS and counterpart(char, script, loosely=False) is None:
                cost += UNLIKE if counterpart(char, script) is None else LOOSE
    return cost, -own


def _in_link(text: str, start: int, end: int) -> bool:
    """Whether a word is part of something written without spaces: links and addresses are Latin in every language."""
    after = text[end : end + 2]
    return text[max(0, start - 1) : start] in tuple("/.@-_:") or (
        after[:1] in tuple("/.@-_:") and not after[1:].isspace() and len(after) > 1
    )


def _has_words(running: Sequence[tuple[str, str]], own: str, main: str, loosely: bool) -> bool:
    """Whether the message has words of `own` that imitate nothing: it is written in two languages."""
    pure = [(word, signs) for word, signs in running if set(signs) & set(ALPHABETS) == {own}]
    return any(_into(word, signs, main, loosely)[1] for word, signs in pure)


def _plain_word(word: str, signs: str, main: str, often: bool, genuine: set[str]) -> str:
    """One word in one alphabet, if it can be.

    `often`: so many words of the message mix alphabets that it is a disguise. `genuine`: scripts of real words in it.
    """
    present = set(signs) & set(ALPHABETS)
    if len(present) == 1:
        (own,) = present
        # Of words wholly in another alphabet only full imitations are changed. Latin words amid Cyrillic are names more
        # often than not.
        if own == main or own in genuine or (not often and (own in "LG" or (own != "X" and len(word) < SHORTEST))):
            return word
        plain, left = _into(word, signs, main, loosely=own == "X" or often)
        return word if left else plain
    # The message's script, unless a letter imitates nothing of it: loose imitations may fit a third one better.
    costs = {sign: _cost([(word, signs)], sign)[0] for sign in NAMES if sign in present or sign == main}
    best = main if costs[main] < UNLIKE else min(costs, key=lambda sign: (costs[sign], sign != main))
    # One change of alphabet is how borrowed words are written: "USBшный".
    loosely = len(RUN.findall(signs)) > 2 or often
    plain, left = _into(word, signs, best, loosely)
    return plain if left == 0 or loosely else word


def _into(word: str, signs: str, script: str, loosely: bool) -> tuple[str, int]:
    """The word in `script`, and how many letters have no counterpart there."""
    letters: list[str] = []
    left = 0
    for index, (char, sign) in enumerate(zip(word, signs, strict=True)):
        other = char if sign in script + "mv" else counterpart(char, script, loosely)
        if script == "C" and char == "b":
            other = _soft_or_ve(letters, word[index + 1 : index + 2])
        left += other is None
        letters.append(other or char)
    return "".join(letters), left


def _soft_or_ve(before: list[str], after: str) -> str:
    """What "b" is in a Cyrillic word: the soft sign, between consonants or at the end after one, or else ve."""
    follows = bool(before) and before[-1].lower() not in VOWELS
    return "ь" if follows and (after.lower() not in VOWELS or not after) else "в"
