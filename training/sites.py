"""Addresses on the web: a brand's own, and those that only look like it.

A notice and its phishing twin may differ in nothing but the address, so both are made from the same pair of a name and
the domain that the brand really uses.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from sluice.training.templates import BAIT, ENDINGS, SHORTENERS, pattern

HOSTS = ("", "", "", "www.", "www.", "m.", "app.", "my.", "track.", "online.", "secure.", "help.", "pay.")
PATHS = (
    "", "", "", "", "/", "/app", "/help", "/{x}", "/{x}", "/{x}{d}", "/s/{x}", "/t/{b}{d}", "/track?id={b}{d}",
    "/login", "/pay", "/bill", "/security", "/info", "/account", "/?c={x}", "/r/{x}", "/fraud", "/verify/{x}",
    "/refund",
)  # fmt: skip
#: Endings under which a brand has no site of its own.
ODD = [
    ending for ending in ENDINGS if ending not in {"com", "net", "org", "co", "app", "me", "ru", "cn", "info", "live"}
]
LETTERS = (("o", "0"), ("l", "1"), ("i", "1"), ("e", "3"), ("m", "rn"), ("a", "4"), ("i", "l"), ("s", "5"), ("u", "v"))


def real_link(domain: str, rng: random.Random) -> str:
    """An address on the brand's own `domain`, with the words that real ones have: login, pay, verify."""
    host = domain if domain.count(".") > 1 else rng.choice(HOSTS) + domain
    scheme = rng.choice(("", "", "https://", "https://", "http://"))
    return scheme + host + pattern(rng.choice(PATHS), rng)


def fake_link(domain: str, rng: random.Random) -> str:
    """An address that looks like `domain` and is not on it, or that hides where it leads."""
    if rng.random() < 0.15:
        return rng.choice(("", "https://")) + rng.choice(SHORTENERS) + pattern("/{x}", rng)
    host = rng.choice(FAKES)(domain, rng)
    while on_domain(host, domain):
        host = _inside(domain, rng)
    scheme = rng.choice(("", "", "https://", "https://", "http://", "www."))
    return scheme + host + pattern(rng.choice(PATHS), rng)


def on_domain(host: str, domain: str) -> bool:
    """Whether `host` is `domain` or below it."""
    return host == domain or host.endswith(f".{domain}")


def _stem(domain: str) -> str:
    """ "royalmail" of "www.royalmail.com"."""
    return max(domain.split(".")[:-1], key=len)


def _added(domain: str, rng: random.Random) -> str:
    """The brand with a word of bait: "royalmail-redelivery.com"."""
    name, word, mark = _stem(domain), rng.choice(BAIT), rng.choice(("-", "-", "", "."))
    return (f"{name}{mark}{word}" if rng.random() < 0.7 else f"{word}{mark}{name}") + f".{rng.choice(ENDINGS)}"


def _inside(domain: str, rng: random.Random) -> str:
    """The brand's domain at the front of another: "royalmail.com-fee.top"."""
    return f"{domain}{rng.choice(('-', '.'))}{rng.choice(BAIT)}.{rng.choice(ENDINGS)}"


def _misspelt(domain: str, rng: random.Random) -> str:
    """A letter changed, doubled or left out: "r0yalmail.com"."""
    name = _stem(domain)
    tricks = [name.replace(*pair, 1) for pair in LETTERS if pair[0] in name]
    at = rng.randrange(len(name))
    tricks += [name[:at] + name[at] + name[at:], name[:at] + name[at + 1 :] if len(name) > 5 else name + name[-1]]
    return domain.replace(name, rng.choice(tricks), 1)


def _moved(domain: str, rng: random.Random) -> str:
    """The name under another ending: "royalmail.xyz"."""
    return f"{_stem(domain)}{rng.choice(('', '', '1', '24', '365'))}.{rng.choice(ODD)}"


def _foreign(domain: str, rng: random.Random) -> str:
    """Nothing of the brand: "secure-update.live"."""
    return f"{'-'.join(rng.sample(BAIT, 2))}.{rng.choice(ENDINGS)}"


FAKES: tuple[Callable[[str, random.Random], str], ...] = (_added, _added, _inside, _misspelt, _moved, _foreign)


def read_site(text: str) -> tuple[str, str]:
    """A name and its domain from "Royal Mail royalmail.com".

    Raises ValueError when the last word is no domain.
    """
    name, _, domain = text.rpartition(" ")
    if not name or not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", domain):
        raise ValueError(f"{text!r} is no name with a domain after it")
    return name, domain
