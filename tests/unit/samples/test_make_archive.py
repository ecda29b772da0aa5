"""The shipped archive: made by its script, invented throughout."""

from __future__ import annotations

import csv
import re
import runpy
from collections import Counter
from pathlib import Path

import pytest

from sluice.config.paths import ROOT

SAMPLES = ROOT / "samples"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (SAMPLES / "archive.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_script_makes_the_same_file(tmp_path: Path) -> None:
    made = tmp_path / "archive.csv"
    runpy.run_path(str(SAMPLES / "make_archive.py"))["write"](made)
    assert made.read_bytes() == (SAMPLES / "archive.csv").read_bytes()


def test_size_and_languages(rows: list[dict[str, str]]) -> None:
    assert len(rows) >= 3_000
    languages = Counter(row["language"] for row in rows)
    assert len(languages) >= 10
    assert min(languages.values()) > len(rows) / len(languages) / 2
    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
    assert [row["received_at"] for row in rows] == sorted(row["received_at"] for row in rows)


def test_numbers_and_addresses_belong_to_nobody(rows: list[dict[str, str]]) -> None:
    text = "\n".join(row["sender"] + "\n" + row["text"] for row in rows)
    assert all(number.startswith("+999") for number in re.findall(r"\+\d{6,}", text))
    hosts = re.findall(r"\b[a-z0-9-]+\.([a-z]{2,})\b", text, re.IGNORECASE)
    assert {host.lower() for host in hosts} == {"example", "test"}


def test_some_texts_come_twice(rows: list[dict[str, str]]) -> None:
    assert sum(count > 1 for count in Counter(row["text"] for row in rows).values()) > 50
