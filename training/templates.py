"""Messages made from the templates in `phrases/`, one file for each language.

A template is `label<TAB>text`; `[a|b]` chooses, `{slot}` is filled from the file's own lists
(`= bank: …`) or by this module. All links, names and numbers are invented.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sluice.training.data import DataError, Example

FOLDER = Path(__file__).parent / "phrases"
LABELS = {"h": "ham", "s": "spam", "p": "phishing"}
ENGLISH_SHARE = 0.15
"""Of the messages made: English has the most templates, and would be lost among forty other languages."""
SPACELESS = ("zh", "zh-hant", "ja")
MONEY = {
    "en": ("£{n}.{c}", "${n}.{c}", "${n}", "£{n}", "€{n}", "{n} dollars", "AU${n}"),
    "fr": ("{n},{c} €", "{n} euros", "{n}€"),
    "de": ("{n},{c} €", "{n} Euro", "€{n}"),
    "es": ("{n},{c} €", "${n}", "{n} euros", "{n} MXN", "${n}.000"),
    "pt": ("R$ {n},{c}", "R${n}", "{n},{c} €"),
    "it": ("{n},{c} €", "{n} euro", "€ {n}"),
    "nl": ("€ {n},{c}", "{n} euro"),
    "tr": ("{n} TL", "{n},{c} TL", "{n}₺"),
    "id": ("Rp{n}.000", "Rp {n}.000", "{n} ribu", "{n} juta"),
    "hi-latn": ("Rs {n}", "₹{n}", "Rs.{n}.{c}", "{n} rupaye"),
    "ru": ("{n} ₽", "{n} руб", "{n}р", "{n} рублей"),
    "ar": ("{n} ريال", "{n} جنيه", "{n} درهم", "{n} دينار"),
    "he": ("{n} ₪", '{n} ש"ח'),
    "zh": ("{n}元", "¥{n}.{c}", "{n}万元"),
    "ja": ("{n}円", "¥{n}", "{n}万円"),
    "th": ("{n} บาท", "{n}฿", "{n}.-"),
    "si": ("රු. {n}", "Rs.{n}", "රුපියල් {n}"),
    "ta": ("ரூ.{n}", "Rs.{n}", "₹{n}"),
    "pl": ("{n} zł", "{n},{c} zł", "{n}zł"),
    "uk": ("{n} грн", "{n} ₴", "{n}грн"),
    "cs": ("{n} Kč", "{n},- Kč", "{n},{c} Kč"),
    "sk": ("{n} €", "{n},{c} €", "{n} eur"),
    "ro": ("{n} lei", "{n},{c} RON", "{n} RON"),
    "hu": ("{n} 000 Ft", "{n}00 Ft", "{n}.000 Ft"),
    "el": ("{n} €", "{n},{c}€", "{n} ευρώ"),
    "bg": ("{n} лв.", "{n},{c} €", "{n} евро"),
    "sr": ("{n}00 din", "{n}.000 RSD", "{n} evra"),
    "hr": ("{n} €", "{n},{c} €", "{n} eura"),
    "sv": ("{n} kr", "{n} kronor", "{n} SEK"),
    "da": ("{n} kr.", "{n},{c} kr.", "{n} kroner"),
    "nb": ("{n} kr", "kr {n}", "{n} kroner"),
    "fi": ("{n} €", "{n},{c} €", "{n} euroa"),
    "vi": ("{n}.000đ", "{n}k", "{n} triệu"),
    "ko": ("{n}만원", "{n},000원", "{n}원"),
    "zh-hant": ("{n}元", "NT${n}", "HK${n}"),
    "ms": ("RM{n}", "RM {n}.{c}", "{n} ringgit"),
    "tl": ("₱{n}", "P{n}.{c}", "{n} pesos"),
    "sw": ("Ksh {n}", "Sh {n}00", "TSh {n},000"),
    "hi": ("₹{n}", "{n} रुपये", "रु {n}"),
    "bn": ("৳{n}", "{n} টাকা", "Tk {n}"),
    "ur": ("{n} روپے", "Rs {n}", "{n} روپیہ"),
    "fa": ("{n} هزار تومان", "{n},000 تومان", "{n} میلیون تومان"),
}
PHONES = (
    "0{a}{b}",
    "+44 7{a} {b}",
    "1-8{c}-{c}-{d}",
    "+1 ({c}) {c}-{d}",
    "08{a}{b}",
    "+9{c}{b}{d}",
    "0{c} {c} {d}",
)
BAIT = [
    "secure", "verify", "login", "update", "account", "pay", "id", "portal",
    "support", "help", "billing", "refund", "parcel", "track", "my", "online",
    "auth", "confirm", "unlock", "service", "client", "delivery", "customs", "tax",
    "claim", "reward", "bonus", "safe", "alert", "center", "access", "web",
    "info", "redelivery", "card", "bank", "wallet", "signin", "reset", "notice",
    "fine", "toll",
]  # fmt: skip
ENDINGS = [
    "top", "xyz", "info", "live", "online", "site", "icu", "vip",
    "club", "cc", "shop", "net", "com", "link", "click", "support",
    "org", "app", "co", "me", "ru", "cn", "tk", "ml",
    "pw", "buzz", "cyou", "help", "today", "world", "life",
]  # fmt: skip
SHORTENERS = [
    "bit.ly", "tinyurl.com", "t.ly", "is.gd", "rb.gy", "cutt.ly", "shorturl.at", "ow.ly",
    "goo.gl", "s.id", "t.co", "lnkd.in",
]  # fmt: skip
SHOP_WORDS = [
    "deal", "shop", "sale", "mega", "win", "bet", "casino", "spin",
    "slim", "loan", "cash", "promo", "best", "vip", "go", "store",
    "fit", "play",
]  # fmt: skip
GOOD_LINKS = (
    "https://youtu.be/{x}",
    "https://maps.app.goo.gl/{x}",
    "https://zoom.us/j/{d}{d}",
    "https://meet.google.com/{x}",
    "https://www.bbc.com/{x}",
    "https://open.spotify.com/track/{x}",
    "https://docs.google.com/document/{x}",
    "https://en.wikipedia.org/wiki/Tea",
    "https://instagram.com/p/{x}",
)
SURNAMES = [
    "Patel", "Smith", "Garcia", "Müller", "Rossi", "Silva", "Kim", "Cohen",
    "Yılmaz", "Dubois", "Khan", "Tanaka", "Novak", "Wang",
]  # fmt: skip
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True)
class Phrasebook:
    """The templates of one language."""

    language: str
    lists: Mapping[str, Sequence[str]]
    templates: Sequence[tuple[str, str]]
    """(label, template) pairs."""


@cache
def phrasebooks() -> tuple[Phrasebook, ...]:
    """All files of `phrases/`, by name.

    Raises DataError for a line that is neither a list nor a template.
    """
    return tuple(read_phrasebook(path) for path in sorted(FOLDER.glob("*.txt")))


def read_phrasebook(path: Path) -> Phrasebook:
    """Reads one file; its name is the language. A list may go on in a later line.

    Raises DataError for a line that is neither a list nor a template.
    """
    lists: dict[str, list[str]] = {}
    templates: list[tuple[str, str]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("= ") and ":" in line:
            name, items = line[2:].split(":", 1)
            lists.setdefault(name.strip(), []).extend(item.strip() for item in items.split(","))
        elif line[:2] in ("h\t", "s\t", "p\t"):
            templates.append((LABELS[line[0]], line[2:]))
        else:
            raise DataError(f"{path}, line {number}: neither '= list: …' nor 'h|s|p<TAB>template'.")
    return Phrasebook(path.stem, lists, templates)


def make_examples(count: int, seed: int, languages: Sequence[str] | None = None) -> list[Example]:
    """`count` messages over languages and templates, `ENGLISH_SHARE` of them in English where others are asked for."""
    rng = random.Random(seed)
    books = [book for book in phrasebooks() if languages is None or book.language in languages]
    weights = [len(book.templates) ** 0.75 for book in books]
    others = sum(weight for weight, book in zip(weights, books, strict=True) if book.language != "en")
    if others:
        english = others * ENGLISH_SHARE / (1 - ENGLISH_SHARE)
        weights = [english if book.language == "en" else weight for weight, book in zip(weights, books, strict=True)]
    examples = []
    for book in rng.choices(books, weights, k=count):
        label, template = rng.choice(book.templates)
        examples.append(Example(fill(template, book, rng), label, book.language, "templates"))
    return examples


def fill(template: str, book: Phrasebook, rng: random.Random) -> str:
    """One message from a template."""
    text = re.sub(r"\[([^\[\]]*)\]", lambda found: rng.choice(found[1].split("|")), template)
    text = re.sub(r"\{(\w+)\}", lambda found: _slot(found[1], book, rng), text)
    if book.language in SPACELESS:
        text = re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", text)
    text = re.sub(r" +([.,!?]( |$))", r"\1", text)
    return re.sub(r" +", " ", text).strip()


def _slot(name: str, book: Phrasebook, rng: random.Random) -> str:
    if name in book.lists:
        return rng.choice(book.lists[name])
    makers = {
        "link": lambda: bad_link(book, rng),
        "short": lambda: shop_link(rng),
        "goodlink": lambda: pattern(rng.choice(GOOD_LINKS), rng),
        "site": lambda: rng.choice(book.lists["brand"]).lower().replace(" ", "").replace("+", "") + ".com",
        "sum": lambda: _money(book.language, rng),
        "phone": lambda: pattern(rng.choice(PHONES), rng),
        "code": lambda: str(rng.randrange(10 ** rng.choice((3, 4, 5)), 10 ** rng.choice((6, 6, 8)))),
        "parcel": lambda: rng.choice(("", "JD", "RX", "#")) + str(rng.randrange(10**7, 10**11)),
        "last4": lambda: f"{rng.randrange(10000):04d}",
        "num": lambda: str(rng.choice((3, 5, 10, 20, 50, 100, 150, 200, 500, 555, 5858, 80488))),
        "pct": lambda: str(rng.randrange(10, 95, 5)),
        "small": lambda: str(rng.randrange(2, 9)),
        "surname": lambda: rng.choice(SURNAMES),
        "time": lambda: f"{rng.randrange(7, 23)}:{rng.choice(('00', '15', '30', '45', '10', '20'))}",
    }
    if name not in makers:
        raise DataError(f"phrases/{book.language}.txt: there is no slot {{{name}}}.")
    return makers[name]()


def _money(language: str, rng: random.Random) -> str:
    amount = rng.choice(
        (rng.randrange(1, 10), rng.randrange(10, 100), rng.randrange(100, 1000), rng.randrange(1000, 9999))
    )
    pattern = rng.choice(MONEY.get(language, MONEY["en"]))
    return pattern.format(n=amount, c=rng.choice(("00", "99", "50", f"{rng.randrange(100):02d}")))


def pattern(form: str, rng: random.Random) -> str:
    """`form` with its letters filled: a to d are digits, x letters and digits."""
    return form.format(
        a=rng.randrange(100, 1000),
        b=rng.randrange(100000, 1000000),
        c=rng.randrange(100, 1000),
        d=rng.randrange(1000, 10000),
        x="".join(rng.choices(ALPHABET, k=rng.randrange(4, 9))),
    )


def bad_link(book: Phrasebook, rng: random.Random) -> str:
    """An invented address of the kind phishing uses: bait words, odd endings, look-alike brands."""
    kind = rng.random()
    ending = rng.choice(ENDINGS)
    known = [name for kind in ("bank", "brand", "app", "post") for name in book.lists.get(kind, ())]
    brand = _domain_name(rng.choice(known), rng)
    words = rng.choices(BAIT, k=3)
    if kind < 0.25:
        host = f"{words[0]}-{words[1]}.{ending}"
    elif kind < 0.40:
        host = f"{words[0]}.{words[1]}-{words[2]}.{ending}"
    elif kind < 0.62:
        host = f"{brand}{rng.choice(('-', '.', ''))}{words[0]}.{ending}"
    elif kind < 0.74:
        host = f"{brand}.com.{words[0]}-{words[1]}.{ending}"
    elif kind < 0.78:
        host = ".".join(str(rng.randrange(1, 255)) for _ in range(4)) + f"/{words[0]}"
    else:
        host = f"{rng.choice(SHORTENERS)}/{pattern('{x}', rng)}"
    path = rng.choice(("", "", "", "/" + rng.choice(BAIT), "/" + pattern("{x}", rng)))
    return rng.choice(("", "", "https://", "http://", "www.")) + host + path


def _domain_name(name: str, rng: random.Random) -> str:
    plain = re.sub(r"[^a-z0-9]", "", name.lower()) or rng.choice(BAIT)
    if rng.random() < 0.35:
        for letter, digit in rng.sample((("o", "0"), ("l", "1"), ("i", "1"), ("e", "3"), ("m", "rn"), ("a", "4")), 3):
            plain = plain.replace(letter, digit, 1)
    return plain


def shop_link(rng: random.Random) -> str:
    """An invented address of the kind advertising uses."""
    if rng.random() < 0.6:
        return rng.choice(("https://", "http://", "")) + f"{rng.choice(SHORTENERS)}/{pattern('{x}', rng)}"
    name = "".join(rng.sample(SHOP_WORDS, 2)) + rng.choice(("", "24", "365", "88"))
    return rng.choice(("www.", "https://", "")) + f"{name}.{rng.choice(ENDINGS)}"
