"""How senders and texts are shown: numbers without most of their digits, characters that hide made visible."""

from __future__ import annotations

import re
import unicodedata

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


def masked(sender: str) -> str:
    """``sender`` for people whom it does not concern.

    Sender ids of at most 11 characters and short numbers are shown. Longer numbers keep their last 3 digits, addresses
    their first character and their host, anything else its first two characters.
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
        return visible(sender)
    name, at, host = sender.rpartition("@")
    if at and name and 0 < len(host) <= MAX_SENDER_CHARS and not re.search(r"\s|\d{4}", host):
        return visible(f"{name[0]}{HIDDEN}@{host}")
    return visible(f"{sender[:2]}{HIDDEN}") if digits < PHONE_DIGITS else HIDDEN + visible(sender[-3:])


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
