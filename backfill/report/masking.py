"""How senders and texts are shown: numbers without most of their digits, characters that hide made visible."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

#: Longest alphanumeric sender of an SMS (GSM 03.40, TP-Originating-Address).
MAX_SENDER_ID = 11
#: From so many digits on it is a person's number; shorter ones are services.
PHONE_DIGITS = 7
#: Stands for what is not shown, however much it is.
HIDDEN = "•••"
#: Longest text, and longest sender where texts may be shown.
MAX_TEXT_CHARS = 300
MAX_SENDER_CHARS = 40

_NUMBER = re.compile(r"[\d\s()+./-]+")
#: Right-to-left marks and overrides, zero-width spaces, tags: they change what a reader sees. The joiners U+200C and
#: U+200D are left alone, for emoji and Indic and Persian words need them.
_HIDDEN = frozenset(
    ["\u00ad", "\u061c", "\u180e", "\u200b", "\u200e", "\u200f", "\u2028", "\u2029", "\u2060", "\ufeff"]
    + [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2061, 0x2070), *range(0xFFF9, 0xFFFC))]
)


@dataclass(frozen=True, slots=True)
class Privacy:
    """What a page may show.

    Attributes:
        include_text: texts, and senders as they are.
        people: senders are names of people, not sender ids.
    """

    include_text: bool
    people: bool

    def sender(self, name: str) -> str:
        """A sender as the page shows it."""
        return visible(name, MAX_SENDER_CHARS) if self.include_text else masked(name, people=self.people)

    @property
    def sentence(self) -> str:
        """What the page says of this."""
        if self.include_text:
            return "This page shows texts of messages and their senders as they are: it is for those who may read them."
        rest = "of names their first letter" if self.people else "names of up to 11 characters are shown"
        return f"This page holds no text of any message. Of telephone numbers it shows the last three digits; {rest}."


def masked(sender: str, *, people: bool = False) -> str:
    """``sender`` for people whom it does not concern.

    Sender ids of at most 11 characters and short numbers are shown. Longer numbers keep their last 3 digits, addresses
    their first character and their host, anything else its first two characters.

    Args:
        people: what looks like a sender id may be somebody's name, and keeps its first character.
    """
    sender = sender.strip()
    # WhatsApp puts marks of direction around the numbers of those who are no contacts.
    bare = sender.strip("".join(_HIDDEN)).strip()
    sender = bare if _NUMBER.fullmatch(bare) else sender
    digits = sum(map(str.isdigit, sender))
    if _NUMBER.fullmatch(sender) and digits >= PHONE_DIGITS:
        plus = "+" if sender.startswith("+") else ""
        return f"{plus}{HIDDEN}" + "".join(filter(str.isdigit, sender))[-3:]
    if len(sender) <= MAX_SENDER_ID and digits < PHONE_DIGITS and "@" not in sender:
        return visible(sender) if not people or _NUMBER.fullmatch(sender) or not sender else _begun(sender, 1)
    name, at, host = sender.rpartition("@")
    if at and name and 0 < len(host) <= MAX_SENDER_CHARS and not re.search(r"\s|\d{4}", host):
        return visible(f"{name[0]}{HIDDEN}@{host}")
    if digits < PHONE_DIGITS:
        return _begun(sender, 1 if people else 2)
    return HIDDEN + visible(sender[-3:])


def _begun(sender: str, chars: int) -> str:
    return visible(f"{sender[:chars]}{HIDDEN}")


def visible(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """``text``, at most ``limit`` characters of it, with control and direction characters written as ``⟨U+202E⟩``."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(char if _harmless(char) else _written(char) for char in shown)


def _harmless(char: str) -> bool:
    if char.isprintable():
        return char not in _HIDDEN
    if char in _HIDDEN or 0xE0000 <= ord(char) <= 0xE0FFF:
        return False
    return unicodedata.category(char) in ("Zs", "Cf")


def _written(char: str) -> str:
    if char == "\n":
        return "⏎"
    if "\ud800" <= char <= "\udfff":
        return "\N{REPLACEMENT CHARACTER}"
    return f"⟨U+{ord(char):04X}⟩"
