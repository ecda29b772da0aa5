"""Notices as banks, carriers, shops and authorities really send them, and their phishing twins.

The templates are in `notices/`, a file for each language, written as those of `phrases/` are (`templates.py`): terse,
with masked cards, references, balances and codes in the forms of many countries. A twin has the same brand and
another request: a link, a call, a code to be passed on. All names and numbers are invented.

A list `= bank sites: HSBC hsbc.co.uk, …` pairs brands with their own domains. In a template with `{banklink}` (an
address there), `{bankhost}` (the bare domain) or `{bankfake}` (one that only looks like it), `{bank}` is that brand.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

from sluice.training.data import DataError, Example
from sluice.training.sites import fake_link, read_site, real_link
from sluice.training.templates import PHONES, Phrasebook, bad_link, pattern, read_phrasebook

FOLDER = Path(__file__).parent / "notices"
HAM_SHARE = 0.75
#: Languages that write a comma before the cents.
COMMA = frozenset("es pt fr de it nl pl ru uk tr id ro cs hu el bg sr da nb sv fi".split())
#: Languages that senders often write without accents, for a shorter and cheaper message.
ACCENTS = frozenset("es pt fr it pl tr ro cs hu sr vi da nb sv fi".split())
PLAIN = str.maketrans({"ł": "l", "Ł": "L", "ı": "i", "đ": "d", "Đ": "D", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE"})
PAIRED = re.compile(r"\{(\w+)(link|host|fake)\}")
SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
WORDS = ("rent", "lunch", "Home", "Mumbai", "NDLS", "BCT", "invoice", "gift", "A1", "Plaza", "market", "shoes", "water")
USSD = ("*131#", "*123*1#", "*544#", "*100#", "*141#", "*556#", "*99#")
MASKS = (
    "XX{}",
    "X{}",
    "*{}",
    "**{}",
    "xx{}",
    "XXXXXX{}",
    "****{}",
    "x-{}",
    "...{}",
    "4XXX{}",
    "5217****{}",
    "••{}",
    "{}",
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DATES = (
    "{d:02d}-{m:02d}-{y}", "{d:02d}/{m:02d}/20{y}", "{d}/{m}/{y}", "{d:02d}-{name}-{y}", "{d:02d}{name}{y}",
    "20{y}-{m:02d}-{d:02d}", "{d:02d}.{m:02d}.20{y}", "{d:02d}.{m:02d}", "{d}/{m}", "{d:02d}-{m:02d}-20{y}",
)  # fmt: skip


@cache
def notice_books() -> tuple[Phrasebook, ...]:
    """All files of `notices/`, by name.

    Raises DataError for a line that is neither a list nor a template.
    """
    return tuple(read_phrasebook(path) for path in sorted(FOLDER.glob("*.txt")))


def make_notices(count: int, seed: int) -> list[Example]:
    """`count` messages over languages and templates, three in four of them real notices.

    The templates of a language are dealt like cards, none again before all have come, so that rare kinds are seen.
    """
    rng = random.Random(seed)
    books = notice_books()
    chosen = rng.choices(books, [len(book.templates) ** 0.85 for book in books], k=count)
    decks: dict[tuple[str, bool], list[tuple[str, str]]] = {}
    return [_make(book, decks, rng) for book in chosen]


def _make(book: Phrasebook, decks: dict[tuple[str, bool], list[tuple[str, str]]], rng: random.Random) -> Example:
    ham = rng.random() < HAM_SHARE
    deck = decks.setdefault((book.language, ham), [])
    if not deck:
        deck += [one for one in book.templates if (one[0] == "ham") == ham]
        rng.shuffle(deck)
    label, template = deck.pop()
    text = fill_notice(template, book, rng)
    if book.language in ACCENTS and rng.random() < 0.25:
        text = without_accents(text)
    return Example(_vary(text, rng), label, book.language, "notices")


def fill_notice(template: str, book: Phrasebook, rng: random.Random) -> str:
    """One notice from a template.

    Raises DataError for a slot that neither the file nor this module knows.
    """
    # Brackets around a single text are the sender's own: "[Web발신]".
    text = re.sub(r"\[([^\[\]]*\|[^\[\]]*)\]", lambda found: rng.choice(found[1].split("|")), template)
    fixed = _fixed(text, book, rng)
    text = re.sub(r"\{(\w+)\}", lambda found: fixed.get(found[1]) or _slot(found[1], book, rng), text)
    text = re.sub(r" +([.,!?]( |$))", r"\1", text.replace("\\n", "\n"))
    return re.sub(r" {2,}", " ", text).strip()


def _fixed(text: str, book: Phrasebook, rng: random.Random) -> dict[str, str]:
    """The slots that say the same wherever they stand in one message: a code, a brand and its addresses."""
    fixed = {"otp": f"{rng.randrange(10**6):06d}"}
    for kind in sorted({found[1] for found in PAIRED.finditer(text)}):
        if f"{kind} sites" not in book.lists:
            raise DataError(f"notices/{book.language}.txt: {{{kind}link}} needs a list '= {kind} sites: …'.")
        name, domain = read_site(rng.choice(book.lists[f"{kind} sites"]))
        fixed |= {kind: name, f"{kind}host": domain}
        fixed |= {f"{kind}link": real_link(domain, rng), f"{kind}fake": fake_link(domain, rng)}
    return fixed


def without_accents(text: str) -> str:
    """`text` in the letters of a plain SMS: "código" is "codigo"."""
    split = unicodedata.normalize("NFD", text.translate(PLAIN))
    return unicodedata.normalize("NFC", "".join(sign for sign in split if not unicodedata.combining(sign)))


def _vary(text: str, rng: random.Random) -> str:
    """The liberties of senders' systems: capitals, no full stop, lines, no spaces."""
    if text.isascii() and rng.random() < 0.06:
        return text.upper()
    how = rng.random()
    if how < 0.1:
        return text.rstrip(".。।")
    if how < 0.15:
        return text.replace(". ", ".\n")
    return text.replace(", ", ",").replace(". ", ".") if how < 0.19 else text


def _slot(name: str, book: Phrasebook, rng: random.Random) -> str:
    if name in book.lists:
        return rng.choice(book.lists[name])
    if name in OF_BOOK:
        return OF_BOOK[name](book, rng)
    if name in OF_CHANCE:
        return OF_CHANCE[name](rng)
    raise DataError(f"notices/{book.language}.txt: there is no slot {{{name}}}.")


def _number(rng: random.Random, least: int, most: int) -> int:
    """Of `least` to `most` digits."""
    digits = rng.randint(least, most)
    return rng.randrange(10 ** (digits - 1), 10**digits)


def _grouped(number: int, mark: str) -> str:
    return f"{number:,}".replace(",", mark)


def _amount(book: Phrasebook, rng: random.Random) -> str:
    """As the country writes it: "1,234.50", "1.234,50", "1 234,50", "1234"."""
    number, cents = _number(rng, 1, 6), rng.choice((0, 0, 50, 99, rng.randrange(100)))
    if book.language in COMMA:
        mark = rng.choice((".", " ", ""))
        return rng.choice((f"{_grouped(number, mark)},{cents:02d}", str(number)))
    return rng.choice((f"{number}.{cents:02d}", f"{number:,}.{cents:02d}", f"{number:,}", str(number)))


def _sum(book: Phrasebook, rng: random.Random) -> str:
    currency, amount = rng.choice(book.lists["cur"]).strip(), _amount(book, rng)
    return rng.choice((f"{amount} {currency}", f"{amount}{currency}", f"{currency}{amount}", f"{currency} {amount}"))


def _date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(24, 28)
    return rng.choice(DATES).format(d=day, m=month, y=year, name=MONTHS[month - 1])


def _time(rng: random.Random) -> str:
    hour, minute = rng.randrange(24), rng.randrange(60)
    seconds = f":{rng.randrange(60):02d}" if rng.random() < 0.25 else ""
    return f"{hour:02d}:{minute:02d}{seconds}"


def _reference(rng: random.Random) -> str:
    signs = "".join(rng.choices(SIGNS, k=rng.choice((8, 10))))
    dotted = f"PP{rng.randint(24, 28)}{rng.randint(1, 12):02d}11.{_number(rng, 4, 4)}.C{_number(rng, 5, 5)}"
    return rng.choice(
        (signs, signs, dotted, str(_number(rng, 12, 12)), f"#{_number(rng, 6, 7)}", str(_number(rng, 8, 9)))
    )


def _code(rng: random.Random) -> str:
    half = _number(rng, 3, 3), _number(rng, 3, 3)
    return rng.choice(
        (f"{rng.randrange(10**6):06d}", str(_number(rng, 4, 4)), f"{half[0]}-{half[1]}", f"{half[0]} {half[1]}")
    )


def _phone(rng: random.Random) -> str:
    return pattern(rng.choice((*PHONES, "1800{b}", "2547{c}{d}", "{d}", "{b}{d}")), rng)


def _thousands(*marks: str, least: int, most: int) -> Callable[[random.Random], str]:
    """Sums of currencies without cents."""
    return lambda rng: _grouped(_number(rng, least, most), rng.choice(marks))


OF_BOOK: dict[str, Callable[[Phrasebook, random.Random], str]] = {"amt": _amount, "sum": _sum, "link": bad_link}
OF_CHANCE: dict[str, Callable[[random.Random], str]] = {
    "br": lambda rng: f"{_grouped(_number(rng, 1, 5), '.')},{rng.randrange(100):02d}",
    "fcfa": _thousands(" ", ",", "", least=3, most=6),
    "krw": _thousands(",", least=3, most=7),
    "idr": _thousands(".", least=5, most=7),
    "vnd": _thousands(",", ".", least=5, most=8),
    "huf": _thousands(" ", "", least=3, most=6),
    "irr": _thousands(",", least=5, most=9),
    "mask": lambda rng: rng.choice(MASKS).format(f"{rng.randrange(10**4):04d}"),
    "date": _date,
    "mmdd": lambda rng: f"{rng.randint(1, 12):02d}/{rng.randint(1, 28):02d}",
    "cmd": lambda rng: f"{rng.randint(1, 12)}月{rng.randint(1, 28)}日{_time(rng)}",
    "time": _time,
    "ref": _reference,
    "code": _code,
    "last4": lambda rng: f"{rng.randrange(10**4):04d}",
    "small": lambda rng: str(rng.randrange(2, 9)),
    "phone": _phone,
    "ussd": lambda rng: rng.choice(USSD),
    "word": lambda rng: rng.choice(WORDS),
    "hash": lambda rng: "".join(rng.choices("abcdefgXYZ0123456789+/", k=11)),
    "hash4": lambda rng: "".join(rng.choices("ABCDEFGHJKMabcdefgh", k=4)),
    "tok": lambda rng: "-".join(f"{rng.randrange(10**4):04d}" for _ in range(5)),
    "plate": lambda rng: f"{rng.choice(('MH12AB', 'KA01MX', '京A', '沪B'))}{_number(rng, 4, 5)}",
    "panmask": lambda rng: f"XXXXX{_number(rng, 4, 4)}X",
}
