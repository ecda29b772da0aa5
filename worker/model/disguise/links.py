"""Links written so that no filter finds them: "hxxp", "[.]", "(dot)", "www . x . com".

Digits for letters in a host stay: "paypa1.com" is no disguise of paypal.com but another host, and that tells a forgery
from the real notice.
"""

from __future__ import annotations

import re

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
IN_SCHEMES = (
    "xxp", "**p", "t*p", "*tp", "__p", "--p", "77p", "[:]", "(:)", ":\\", "ttp :", "tps :", ": /", ":/ ", "// ",
)  # fmt: skip
IN_LOOSE_HOSTS = (" .", "www. ", "。", "｡", "．")


def suspect(text: str) -> bool:
    """Whether an ASCII text without brackets, asterisks and backslashes may hold a link in an unusual form."""
    if ":" in text and any(sign in text or sign.upper() in text for sign in IN_SCHEMES):
        return True
    return " ." in text or "www. " in text or " dot " in text or " DOT " in text


def plain_links(text: str) -> str:
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
    return text


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
