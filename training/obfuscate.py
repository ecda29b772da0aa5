"""The tricks by which senders hide words from filters, for making training and test messages."""

from __future__ import annotations

import random
from collections.abc import Callable

from sluice.training.tokenizer import LOOK_ALIKES

ZERO_WIDTH = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad")
LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1|", "b": "8", "g": "9"}
CYRILLIC = {
    "a": "а",
    "c": "с",
    "e": "е",
    "i": "і",
    "o": "о",
    "p": "р",
    "s": "ѕ",
    "x": "х",
    "y": "у",
    "j": "ј",
}
CAPITALS = {
    "A": "А",
    "B": "В",
    "C": "С",
    "E": "Е",
    "H": "Н",
    "K": "К",
    "M": "М",
    "O": "О",
    "P": "Р",
    "T": "Т",
    "X": "Х",
}
ACCENTS = ("\u0301", "\u0300", "\u0308", "\u0302", "\u0323")
STYLES = (0x1D400, 0x1D434, 0x1D5A0, 0x1D5D4, 0x1D670)
"""First capital letter of alphabets that Unicode keeps for mathematics: bold, italic, sans, typewriter."""


def look_alikes(text: str, rng: random.Random) -> str:
    """Latin letters become the Cyrillic or Greek ones that look the same."""
    share = rng.uniform(0.15, 0.9)
    wide = rng.random() < 0.3

    def swap(letter: str) -> str:
        if rng.random() > share:
            return letter
        if wide and letter in LOOK_ALIKES:
            return rng.choice(LOOK_ALIKES[letter])
        return CYRILLIC.get(letter) or CAPITALS.get(letter) or letter

    return "".join(swap(letter) for letter in text)


def zero_width(text: str, rng: random.Random) -> str:
    """Invisible characters between letters."""
    share = rng.choice((0.1, 0.3, 1.0))
    mark = rng.choice(ZERO_WIDTH)
    return "".join(letter + mark if rng.random() < share else letter for letter in text)


def leet(text: str, rng: random.Random) -> str:
    """Digits and signs in place of letters."""
    share = rng.uniform(0.3, 1.0)
    chosen = {letter: rng.choice(signs) for letter, signs in LEET.items()}
    return "".join(
        chosen[letter.lower()] if letter.lower() in chosen and rng.random() < share else letter for letter in text
    )


def spaced(text: str, rng: random.Random) -> str:
    """A space or another sign between the letters of some words, or of all."""
    gap = rng.choice((" ", " ", ".", "-", "_", "*"))
    if rng.random() < 0.3:
        return gap.join(text.replace(" ", ""))
    share = rng.uniform(0.2, 0.7)
    return " ".join(gap.join(word) if len(word) > 3 and rng.random() < share else word for word in text.split(" "))


def styled(text: str, rng: random.Random) -> str:
    """Full-width letters or the letters of mathematical alphabets."""
    if rng.random() < 0.5:
        return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)
    first = rng.choice(STYLES)
    return "".join(_style(letter, first) for letter in text)


def _style(letter: str, first: int) -> str:
    if "A" <= letter <= "Z":
        return chr(first + ord(letter) - ord("A"))
    if "a" <= letter <= "z" and not (first == 0x1D434 and letter == "h"):
        return chr(first + 26 + ord(letter) - ord("a"))
    return letter


def accented(text: str, rng: random.Random) -> str:
    """Accents where none belong."""
    share = rng.uniform(0.1, 0.5)
    return "".join(
        letter + rng.choice(ACCENTS) if letter.isascii() and letter.isalpha() and rng.random() < share else letter
        for letter in text
    )


def joined(text: str, rng: random.Random) -> str:
    """Spaces left out, or put inside words."""
    if rng.random() < 0.5:
        return "".join("" if letter == " " and rng.random() < 0.7 else letter for letter in text)
    return "".join(f"{letter} " if letter.isalpha() and rng.random() < 0.12 else letter for letter in text)


def dotted_links(text: str, rng: random.Random) -> str:
    """Links written so that no filter finds them: "hxxp", "[.]", "(dot)"."""
    dot = rng.choice(("[.]", "(.)", " . ", "(dot)", " dot ", "。"))
    scheme = rng.choice(("hxxp", "http", "h**p"))
    return text.replace("http", scheme).replace(".", dot)


TRICKS: dict[str, Callable[[str, random.Random], str]] = {
    "look_alikes": look_alikes,
    "zero_width": zero_width,
    "leet": leet,
    "spaced": spaced,
    "styled": styled,
    "accented": accented,
    "joined": joined,
    "dotted_links": dotted_links,
}
WEIGHTS = {
    "look_alikes": 4,
    "zero_width": 3,
    "leet": 4,
    "spaced": 3,
    "styled": 1,
    "accented": 1,
    "joined": 2,
    "dotted_links": 1,
}


def obfuscate(text: str, rng: random.Random) -> str:
    """Plays one trick, at times two, on a text."""
    names = list(TRICKS)
    for name in rng.choices(names, [WEIGHTS[name] for name in names], k=1 if rng.random() < 0.8 else 2):
        text = TRICKS[name](text, rng)
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
