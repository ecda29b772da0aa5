"""The texts that measurements send: the sample archive, or a CSV of the reader's own."""

from __future__ import annotations

import csv
import gzip
import random
import re
import string
from itertools import cycle, islice
from pathlib import Path

from sluice.config.paths import ROOT

SAMPLE = ROOT / "samples" / "archive.csv"
COLUMN = "text"


def load(path: Path | None = None, *, count: int | None = None, distinct: bool = False, seed: int = 1) -> list[str]:
    """The texts of a CSV in an order that a seed fixes; from the start again when ``count`` asks for more.

    Args:
        path: a CSV with a column ``text``; None for the shipped sample archive.
        count: how many; None for each row once.
        distinct: put a short counter of letters before every text that came before, since a worker computes texts
            that wait together and read alike only once.

    Raises:
        ValueError: the file has no column ``text`` or no rows.
    """
    texts = read(path or SAMPLE)
    random.Random(seed).shuffle(texts)
    texts = list(islice(cycle(texts), len(texts) if count is None else count))
    return make_distinct(texts) if distinct else texts


def read(file: Path) -> list[str]:
    """The texts of a CSV, packed with gzip or not.

    Raises:
        ValueError: it has no column ``text``, or no rows.
    """
    opening = gzip.open if file.suffix == ".gz" else open
    with opening(file, "rt", encoding="utf-8", newline="") as source:
        rows = csv.DictReader(source)
        if COLUMN not in (rows.fieldnames or ()):
            raise ValueError(f"{file} has no column named {COLUMN}")
        found = [row[COLUMN] for row in rows]
    if not found:
        raise ValueError(f"{file} has no rows")
    return found


def make_distinct(texts: list[str]) -> list[str]:
    """The texts, those that would read like an earlier one with a counter before them.

    Case, digits and spaces do not tell texts apart here, for some models' tokenizers do not tell them apart either.
    The counter is of letters for the same reason, and comes first, where no limit of length cuts it off.
    """
    seen: dict[str, int] = {}
    result = []
    for text in texts:
        key = re.sub(r"\d|\s+", "0", text.casefold())
        times = seen.get(key, 0)
        seen[key] = times + 1
        result.append(f"{letters(times)} {text}" if times else text)
    return result


def letters(number: int) -> str:
    """1 is "b", 26 is "ba": a number to the base 26."""
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 26)
        digits = string.ascii_lowercase[digit] + digits
    return digits
