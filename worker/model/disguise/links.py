"""Links written so that no filter finds them ("hxxp", "[.]", "www . x . com"), and digits for letters in hosts."""

from __future__ import annotations

import re
from itertools import product

from sluice.worker.model.disguise.vocabulary import Vocabulary

SCHEME = re.compile(
    r"\bh(?:tt|xx|\*\*|t\*|\*t|__|--|77)ps? {0,2}(?:[\[(]:[\])]|:) {0,2}(?:/ {0,2}/|\\\\) {0,2}"
    r"|\bh(?:xx|\*\*|t\*|\*t)p(?=s?:)",
    re.IGNORECASE,
)
BRACKETED_DOT = re.compile(
    r"(?<=\w) {0,2}[\[({<] ?(?:\.|dot|d0t|punkt|punto|point|ponto|punt|nokta|titik|точка|крапка|点|點|ドット)"
    r" ?[\])}>] {0,2}(?=\w)",
    re.IGNORECASE,
)
WORD_DOT = re.compile(r"(?<=[A-Za-z0-9]) (?:dot|DOT|Dot) (?=[A-Za-z0-9])")
LOOSE_DOT = re.compile(r"(?<=[A-Za-z0-9])(?: {1,2}\. {0,2}|\. {1,2}|[。｡．])(?=[A-Za-z0-9])")
ENDINGS = frozenset(
    """com net org info top xyz live online site icu vip club shop link click support app buzz cyou help today world
    life store tech cloud cc tk ml ga cf gq pw ru cn ly gl gd""".split()
)
"""Ends of hosts that stand for themselves; others are seen by what comes before or after them."""
HOST = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?"
LINK = re.compile(
    rf"(?P<scheme>https?://)?(?P<host>(?:{HOST}\.){{1,8}}[A-Za-z]{{2,24}})(?![A-Za-z0-9])(?P<path>/[^\s<>\"]{{0,300}})?",
    re.IGNORECASE,
)
LEET = {"0": "o", "1": "li", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g"}
PART = re.compile(r"[A-Za-z0-9]+")
NUMBER_AT_END = re.compile(r"[0-9]{2,}$")
MOST_SIGNS = 6
LONGEST_PART = 40
MARGIN = 2.0
"""By how much, in nats, a part of a host must be likelier with letters than with digits."""
IN_SCHEMES = (
    "xxp", "**p", "t*p", "*tp", "__p", "--p", "77p", "[:]", "(:)", ":\\", "ttp :", "tps :", ": /", ":/ ", "// ",
)  # fmt: skip
IN_LOOSE_HOSTS = (" .", "www. ", "。", "｡", "．")
SUSPECT = (
    "[",
    "(",
    "{",
    "<",
    " dot ",
    " DOT ",
    " Dot ",
    *IN_SCHEMES,
    *(sign.upper() for sign in IN_SCHEMES[:7]),
    *IN_LOOSE_HOSTS[:2],
)
"""A text with none of these, and no digit beside a letter, has its links in their usual form."""
DIGIT_IN_WORD = re.compile(r"[A-Za-z][01345789]|[01345789][A-Za-z]")


def plain_links(text: str, vocabulary: Vocabulary | None) -> str:
    """The text with its links in their usual form."""
    lower = text.lower()
    if any(sign in lower for sign in IN_SCHEMES):
        text = SCHEME.sub(_scheme, text)
    if "[" in text or "(" in text or "{" in text or "<" in text:
        text = BRACKETED_DOT.sub(".", text)
    if " dot " in lower:
        text = WORD_DOT.sub(lambda found: "." if _ends_host(text, found.end()) else found[0], text)
    if any(sign in lower for sign in IN_LOOSE_HOSTS):
        text = LOOSE_DOT.sub(lambda found: "." if _within_host(text, found) else found[0], text)
    if vocabulary is None or "." not in text:
        return text
    # Word by word, for most words are no link, and that is soon seen.
    return " ".join([_plain_word(word, vocabulary) if "." in word else word for word in text.split(" ")])


def _plain_word(word: str, vocabulary: Vocabulary) -> str:
    if not DIGIT_IN_WORD.search(word):
        return word
    return LINK.sub(lambda found: _plain_link(found, vocabulary), word)


def _scheme(found: re.Match[str]) -> str:
    if found[0].lower() in ("http://", "https://"):
        return found[0]
    secure = "s" if "s" in found[0].lower() else ""
    return f"http{secure}://" if ":" in found[0] else f"http{secure}"


def _ends_host(text: str, at: int) -> bool:
    word = re.compile(r"[A-Za-z]{2,24}").match(text, at)
    return word is not None and (word[0].lower() in ENDINGS or text[word.end() : word.end() + 1] == "/")


def _within_host(text: str, dot: re.Match[str]) -> bool:
    before = text[max(0, dot.start() - 80) : dot.start()]
    token = re.search(r"\S*$", before)
    opened = token is not None and re.match(r"(?:https?://|www$)", token[0], re.IGNORECASE) is not None
    loose = dot[0] != ". "
    return (
        (opened and loose)
        or (loose and _ends_host(text, dot.end()))
        or (
            re.search(r"(?:https?://|www) ?\.? ?[\w-]*(?: ?\. ?[\w-]+)*$", before, re.IGNORECASE) is not None
            and _ends_host(text, dot.end())
        )
    )


def _plain_link(found: re.Match[str], vocabulary: Vocabulary) -> str:
    host, path = found["host"], found["path"] or ""
    if found["scheme"] is None and not path and host.rpartition(".")[2].lower() not in ENDINGS:
        return found[0]
    labels, _, end = host.rpartition(".")
    return (found["scheme"] or "") + PART.sub(lambda part: _letters(part[0], vocabulary), labels) + "." + end + path


def _letters(part: str, vocabulary: Vocabulary) -> str:
    """One part of a host with the letters that its digits pass for, where that makes it much likelier."""
    number = NUMBER_AT_END.search(part)
    signs = [place for place, char in enumerate(part) if char in LEET and not (number and place >= number.start())]
    if not signs or len(signs) > MOST_SIGNS or len(part) > LONGEST_PART or len(signs) * 2 > len(part):
        return part
    best, least = part, vocabulary.score(part) + MARGIN
    for letters in product(*(LEET[part[place]] for place in signs)):
        folded = list(part)
        for place, letter in zip(signs, letters, strict=True):
            folded[place] = letter
        score = vocabulary.score("".join(folded))
        if score > least:
            best, least = "".join(folded), score
    return best
