"""The tricks by which senders hide words from filters, for making training and test messages.

Each of the five STYLES works in every script that has means for it. The rare flavour of a style has other letters,
marks and gaps than the usual one, and is for tests: so they hold for more than what training sees.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache

from sluice.training.imitations import TABLES

Trick = Callable[[str, random.Random, bool], str]
"""Text, generator, and whether the rare flavour is meant."""

INVISIBLE = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad")
RARE_INVISIBLE = ("\u034f", "\u180e", "\u200e", "\u2061", "\u2063", "\ufe00", "\u206a", "\U000e0020", "\u202c")
GAPS = (" ", " ", " ", ".", "-", "_", "*")
RARE_GAPS = ("\u2009", "\u00a0", "·", "|", "~", "•", "+", "/", " - ", "..")
LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1|", "b": "8", "g": "9"}
HOST_LEET = {"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7", "l": "1"}
ACCENTS = ("\u0301", "\u0300", "\u0308", "\u0302", "\u0323")
STYLED = (0x1D400, 0x1D434, 0x1D5A0, 0x1D5D4, 0x1D670)
"""First capital letter of alphabets that Unicode keeps for mathematics: bold, italic, sans, typewriter."""
RARE_STYLED = (0x1D468, 0x1D4D0, 0x1D56C, 0x1D608, 0x1D63C)
ENCLOSED = ((0x24B6, 0x24D0), (0x1F130, 0x1F130), (0x1F150, 0x1F150), (0x1F170, 0x1F170))
"""First capital and first small letter in circles and squares."""
LINK = re.compile(r"(?:https?://)?(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?:/\S*)?")


def disguise(text: str, style: str, rng: random.Random, rare: bool = False) -> str:
    """The text in one of STYLES, as its script allows; unchanged where the style has no means for it."""
    return STYLES[style](text, rng, rare)


def look_alikes(text: str, rng: random.Random, rare: bool = False) -> str:
    """Letters of another alphabet that look the same, or other letters of the same one."""
    share = rng.uniform(0.15, 0.9)
    table = _imitations(_table(text), rare)
    return "".join(rng.choice(table[one]) if one in table and rng.random() < share else one for one in text)


@cache
def _imitations(name: str, rare: bool) -> dict[str, Sequence[str]]:
    words = TABLES[name][rare].split() if name in TABLES else []
    return {word[0]: (word[1:],) if _is_one(word[1:]) else word[1:] for word in words}


def _is_one(imitation: str) -> bool:
    return imitation[0] == imitation[-1] or unicodedata.category(imitation[-1])[0] == "M"


def _table(text: str) -> str:
    """The name of the table of the text's script; of Persian and Urdu, by letters that Arabic lacks."""
    return "persian" if re.search("[پچژگیکٹڈےں]", text) else script(text)


def script(text: str) -> str:
    """The first word of the names that Unicode gives the text's letters, "han" for "cjk".

    Another script than Latin counts from a quarter of the letters on: links and brands are Latin everywhere.
    """
    names = [unicodedata.name(one, "").split(" ")[0].lower() for one in text if one.isalpha()]
    others = [{"cjk": "han"}.get(name, name) for name in names if name != "latin"]
    return max(sorted(set(others)), key=others.count) if len(others) * 4 > len(names) else "latin"


def zero_width(text: str, rng: random.Random, rare: bool = False) -> str:
    """Invisible characters between letters."""
    share = rng.choice((0.1, 0.3, 1.0))
    mark = rng.choice(RARE_INVISIBLE if rare else INVISIBLE)
    return "".join(letter + mark if rng.random() < share else letter for letter in text)


def full_width(text: str, rng: random.Random, rare: bool = False) -> str:
    """Wide letters, those of mathematical alphabets, in circles and squares, and narrow kana and Hangul letters.

    Scripts without such forms keep their letters; their digits, signs and links change.
    """
    forms = _forms(text, rng, rare)
    whole = rng.random() < 0.6
    words = re.split(r"(\s+)", text)
    return "".join("".join(forms(one) for one in word) if whole or rng.random() < 0.5 else word for word in words)


def _forms(text: str, rng: random.Random, rare: bool) -> Callable[[str], str]:
    if re.search("[ァ-ヶ]", text) and rng.random() < 0.5:
        return lambda one: NARROW.get(one, one)
    if re.search("[ء-ي]", text):
        return lambda one: rng.choice(PRESENTED.get(one, (one,)))
    if not rare and rng.random() < 0.5:
        return lambda one: chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one
    if rare and rng.random() < 0.5:
        capital, small = rng.choice(ENCLOSED)
        return lambda one: _enclosed(one, capital, small)
    first = rng.choice(RARE_STYLED if rare else STYLED)
    return lambda one: _styled(one, first)


def _enclosed(letter: str, capital: int, small: int) -> str:
    if "A" <= letter <= "Z":
        return chr(capital + ord(letter) - ord("A"))
    return chr(small + ord(letter) - ord("a")) if "a" <= letter <= "z" else letter


def _styled(letter: str, first: int) -> str:
    if "A" <= letter <= "Z":
        return chr(first + ord(letter) - ord("A"))
    if "a" <= letter <= "z" and not (first == 0x1D434 and letter == "h"):
        return chr(first + 26 + ord(letter) - ord("a"))
    if "α" <= letter <= "ω":
        return chr(0x1D6C2 + ord(letter) - ord("α"))
    return chr(0x1D7CE + ord(letter) - ord("0")) if "0" <= letter <= "9" else letter


def _by_plain(first: int, last: int) -> dict[str, list[str]]:
    """Compatibility characters of a range by the one character that they stand for."""
    found: dict[str, list[str]] = {}
    for code in range(first, last + 1):
        plain = unicodedata.normalize("NFKC", chr(code))
        if len(plain) == 1 and plain != chr(code):
            found.setdefault(plain, []).append(chr(code))
    return found


NARROW = {plain: forms[0] for plain, forms in _by_plain(0xFF66, 0xFF9D).items()}
PRESENTED = _by_plain(0xFE80, 0xFEF4)


def spaced(text: str, rng: random.Random, rare: bool = False) -> str:
    """A space or another sign between the letters of some words, or of all; then wider gaps between words, or none."""
    gap = rng.choice(RARE_GAPS if rare else GAPS)
    how = rng.random()
    if how < 0.25:
        return gap.join(_clusters(text.replace(" ", "")))
    if how < 0.5:
        wide = gap + " " + gap if gap.strip() else gap * rng.choice((2, 3))
        return wide.join(gap.join(_clusters(word)) for word in text.split(" "))
    share = rng.uniform(0.2, 0.7)
    return " ".join(
        gap.join(_clusters(word)) if len(word) > 3 and rng.random() < share else word for word in text.split(" ")
    )


def _clusters(text: str) -> list[str]:
    """What a reader takes for one letter: with its marks, and with the letter that a virama joins to it."""
    found: list[str] = []
    for one in text:
        joins = found and unicodedata.combining(found[-1][-1]) == 9 and one.isalpha()
        if found and (unicodedata.category(one) in ("Mn", "Mc", "Me", "Cf") or joins or found[-1][-1] == "\u200d"):
            found[-1] += one
        else:
            found.append(one)
    return found


def leet_links(text: str, rng: random.Random, rare: bool = False) -> str:
    """Links that no filter finds: "hxxp", "[.]", "(dot)", "www . x . com", and digits for letters in the host."""
    dots = ("{.}", " [dot] ", "<.>", "．", " dot ") if rare else ("[.]", "(.)", " . ", "(dot)", "。", ".", ".")
    schemes = ("h**p", "hXXp", "http") if rare else ("hxxp", "http", "http")
    dot, scheme, share = rng.choice(dots), rng.choice(schemes), rng.choice((0.0, 0.4, 0.8))
    signs = {letter: rng.choice(sign) for letter, sign in HOST_LEET.items()}

    def change(found: re.Match[str]) -> str:
        start, host, path = re.fullmatch(r"(https?://)?([^/]*)(.*)", found[0], re.DOTALL).groups()  # type: ignore[union-attr]
        labels = host.split(".")
        head = [
            "".join(signs[one] if one in signs and rng.random() < share else one for one in one_label)
            for one_label in labels[:-1]
        ]
        return (start or "").replace("http", scheme) + dot.join([*head, labels[-1]]) + path

    return LINK.sub(change, text)


def leet(text: str, rng: random.Random, rare: bool = False) -> str:
    """Digits and signs in place of letters, anywhere."""
    share = rng.uniform(0.3, 1.0)
    chosen = {letter: rng.choice(signs) for letter, signs in LEET.items()}
    return "".join(
        chosen[letter.lower()] if letter.lower() in chosen and rng.random() < share else letter for letter in text
    )


def accented(text: str, rng: random.Random, rare: bool = False) -> str:
    """Accents where none belong."""
    share = rng.uniform(0.1, 0.5)
    return "".join(
        letter + rng.choice(ACCENTS) if letter.isascii() and letter.isalpha() and rng.random() < share else letter
        for letter in text
    )


def joined(text: str, rng: random.Random, rare: bool = False) -> str:
    """Spaces left out, or put inside words."""
    if rng.random() < 0.5:
        return "".join("" if letter == " " and rng.random() < 0.7 else letter for letter in text)
    return "".join(f"{letter} " if letter.isalpha() and rng.random() < 0.12 else letter for letter in text)


STYLES: dict[str, Trick] = {
    "look_alikes": look_alikes,
    "zero_width": zero_width,
    "full_width": full_width,
    "spaced": spaced,
    "leet_links": leet_links,
}
"""What the worker undoes before the tokenizer."""
TRICKS: dict[str, Trick] = {**STYLES, "leet": leet, "accented": accented, "joined": joined}
"""The styles, and what a model has to read by itself."""
DISGUISE_SEED = 5
"""Of the copies that models are judged by: the same messages always get the same copies."""
WEIGHTS = {
    "look_alikes": 3,
    "zero_width": 2,
    "full_width": 1,
    "spaced": 4,
    "leet_links": 2,
    "leet": 4,
    "accented": 1,
    "joined": 3,
}


def obfuscate(text: str, rng: random.Random) -> str:
    """Plays one trick, at times two, on a text."""
    names = list(TRICKS)
    for name in rng.choices(names, [WEIGHTS[name] for name in names], k=1 if rng.random() < 0.8 else 2):
        text = TRICKS[name](text, rng, False)
    return text


def typos(text: str, rng: random.Random) -> str:
    """Slips of an honest hand: a letter lost, doubled or swapped, case forgotten."""
    letters = list(text)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(letters)) if letters else 0
        slip = rng.random()
        if not letters or not letters[at].isalpha():
            continue
        if slip < 0.35:
            letters[at] = ""
        elif slip < 0.6:
            letters[at] *= 2
        elif at + 1 < len(letters):
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
    result = "".join(letters)
    return result.lower() if rng.random() < 0.3 else result
