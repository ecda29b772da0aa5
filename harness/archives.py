"""Archives to classify: written from the shipped samples, of any length, with as many duplicates as wanted."""

from __future__ import annotations

import csv
import random
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sluice.harness import texts
from sluice.harness.texts import COLUMN, letters

COLUMNS = ("id", "received_at", "sender", COLUMN)
#: Share of rows that repeat an earlier text, as in the operators' sample that came with the task: an assumption.
DUPLICATES = 0.31
#: A repeated text is at most so many rows old. Most are much younger: half of them under 71 rows.
REACH = 5_000
BEGINNING = datetime(2026, 1, 5, tzinfo=UTC)


def generate(rows: int, duplicates: float = 0.0, seed: int = 1) -> Iterator[str]:
    """So many texts, of which the share ``duplicates`` repeat one of the last `REACH`; the others are all different.

    The same arguments give the same texts, and memory does not grow with ``rows``.
    """
    samples = texts.load(distinct=True)
    chance = random.Random(seed)
    lately: deque[str] = deque(maxlen=REACH)
    made = 0
    for _ in range(rows):
        if lately and chance.random() < duplicates:
            text = lately[-min(len(lately), int(REACH ** chance.random()))]
        else:
            text, made = _new(samples, made), made + 1
        lately.append(text)
        yield text


def _new(samples: list[str], number: int) -> str:
    """A text of its own for each number, also for a model that tells neither case nor digits apart."""
    turn, place = divmod(number, len(samples))
    return f"{letters(turn)}. {samples[place]}" if turn else samples[place]


def write(file: Path, rows: int, duplicates: float = 0.0, seed: int = 1) -> Path:
    """A CSV of generated texts with `COLUMNS`; invented numbers, a message every seven seconds."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, text in enumerate(generate(rows, duplicates, seed)):
            at = BEGINNING + timedelta(seconds=7 * number)
            writer.writerow([f"m{number:07}", at.isoformat(), f"+447700900{number * 37 % 1000:03}", text])
    return file


def save(file: Path, texts: Iterable[str]) -> Path:
    """A CSV of given texts, numbered from 0."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("id", COLUMN))
        writer.writerows(enumerate(texts))
    return file
