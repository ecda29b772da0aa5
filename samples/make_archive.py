"""Makes ``samples/archive.csv``: an invented SMS archive in twelve languages, the same on every run.

    python samples/make_archive.py

The sentences in ``templates.tsv`` were written for this file. Every name, brand, number and address is made up:
numbers carry the country code 999, which nobody has, and domains end in .example or .test, which never resolve.
"""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE / "archive.csv"
SEED = 20_260_101
ROWS = 3_200
#: Of a hundred messages.
SHARES = {"ham": 70, "spam": 20, "phishing": 10}
#: One in so many repeats an earlier text word for word, as campaigns do.
REPEAT_ONE_IN = 25
COLUMNS = ("id", "received_at", "sender", "language", "text")

CURRENCIES = {
    "en": "£{}", "th": "{} บาท", "zh": "{}元", "ar": "{} درهم", "id": "Rp{}.000", "ru": "{} руб.", "es": "{} €",
    "fr": "{} €", "de": "{} €", "pt": "R$ {}", "hi": "Rs.{}", "ja": "{}00円",
}  # fmt: skip
LURES = (
    "norbank-verify", "secure-telvia", "parcel-redelivery", "my-account-check", "refund-portal", "id-confirm",
    "customs-pay", "n0rbank-login", "quickp0st-track", "safe-card-update",
)  # fmt: skip
SHOPS = ("larkmart-deals", "spin-city", "bestprice-hub", "lucky-seven", "mega-offer", "style-outlet", "play-day")
ENDINGS = ("example", "test")
GREETINGS = ("🙂", "😂", "❤️", "!!", "...", "🙏", "🎉")

Templates = dict[tuple[str, str], list[str]]


def read_templates() -> Templates:
    """Sentences by language and kind."""
    found: Templates = {}
    with (HERE / "templates.tsv").open(encoding="utf-8", newline="") as lines:
        for language, kind, sentence in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            found.setdefault((language, kind), []).append(sentence)
    return found


def phone(rng: random.Random) -> str:
    return f"+999{rng.randrange(10**8, 10**9)}"


def link(rng: random.Random) -> str:
    scheme = rng.choice(("https://", "http://", ""))
    return f"{scheme}{rng.choice(LURES)}.{rng.choice(ENDINGS)}/{rng.randrange(16**4):04x}"


def shop(rng: random.Random) -> str:
    return f"{rng.choice(SHOPS)}.{rng.choice(ENDINGS)}"


def slots(rng: random.Random, language: str, words: dict[str, list[str]]) -> dict[str, str]:
    """A value for every slot that a sentence may have."""
    money = CURRENCIES[language]
    numbers = {
        "time": f"{rng.randrange(7, 23)}:{rng.choice(('00', '10', '15', '30', '45'))}",
        "small": str(rng.randrange(1, 40)),
        "code": f"{rng.randrange(10**6):06d}",
        "percent": str(rng.choice((20, 30, 50, 60, 70, 80, 90, 100))),
        "gb": str(rng.choice((1, 2, 5, 10, 20, 50))),
        "short": str(rng.randrange(1_000, 99_999)),
        "amount": money.format(rng.choice((80, 150, 250, 300, 480, 500, 750, 900, 1000, 2500, 5000))),
        "fee": money.format(f"{rng.randrange(1, 9)}.{rng.choice((20, 49, 75, 95, 99))}" if "€" in money else 49),
        "parcel": f"{rng.choice('RLCE')}{rng.choice('XYZ')}{rng.randrange(10**8):08d}",
        "phone": phone(rng),
        "link": link(rng),
        "shop": shop(rng),
    }
    return numbers | {name: rng.choice(values) for name, values in words.items()}


def write_text(rng: random.Random, kind: str, sentence: str, values: dict[str, str]) -> str:
    """One message: a filled sentence, and now and then what people add to theirs."""
    text = sentence.format(**values)
    if kind == "ham" and rng.random() < 0.15:
        text += " " + rng.choice(GREETINGS)
    if kind == "ham" and rng.random() < 0.02:
        text = text.replace(", ", ",\n", 1)
    if kind == "spam" and rng.random() < 0.1:
        text = text.upper() if text.isascii() else text
    return text


def sender(rng: random.Random, kind: str, values: dict[str, str]) -> str:
    if kind == "ham" and values["code"] not in values.get("text", ""):
        return phone(rng)
    named = values["brand"].split()[-1].upper() if values["brand"].isascii() else f"INFO-{values['short']}"
    return named if rng.random() < 0.6 else phone(rng)


def rows(rng: random.Random) -> list[tuple[str, ...]]:
    """The archive, oldest message first."""
    templates = read_templates()
    words = json.loads((HERE / "words.json").read_text(encoding="utf-8"))
    languages, at = sorted(words), datetime(2026, 1, 5, tzinfo=UTC)
    table: list[tuple[str, ...]] = []
    for number in range(1, ROWS + 1):
        at += timedelta(seconds=rng.expovariate(1 / 400))
        stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        if table and rng.randrange(REPEAT_ONE_IN) == 0:
            earlier = rng.choice(table[-300:])
            table.append((f"a{number:05d}", stamp, *earlier[2:]))
            continue
        language = rng.choice(languages)
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        values = slots(rng, language, words[language])
        values["text"] = write_text(rng, kind, rng.choice(templates[language, kind]), values)
        table.append((f"a{number:05d}", stamp, sender(rng, kind, values), language, values["text"]))
    return table


def write(target: Path) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(random.Random(SEED)))


if __name__ == "__main__":
    write(TARGET)
