"""The texts that tests and measurements send."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sluice.config.settings import SMALL_MODEL, read
from sluice.harness import texts
from sluice.worker.model.loader import load


def test_texts_come_in_one_shuffled_order() -> None:
    with texts.SAMPLE.open(encoding="utf-8", newline="") as file:
        rows = [row["text"] for row in csv.DictReader(file)]
    loaded = texts.load()
    assert loaded == texts.load()
    assert loaded != rows
    assert sorted(loaded) == sorted(rows)
    assert texts.load(count=len(rows) + 5)[-5:] == loaded[:5]


def test_texts_that_come_again_read_otherwise_even_to_the_shipped_model() -> None:
    classifier = load(read(model=str(SMALL_MODEL), device="cpu"))
    once = len(texts.load())
    rows = classifier.encode(texts.load(count=3 * once, distinct=True))
    passes = [{tuple(ids) for ids in rows[start : start + once]} for start in (0, once, 2 * once)]
    assert len(passes[0]) > 0.95 * once
    assert passes[0].isdisjoint(passes[1] | passes[2])
    assert passes[1].isdisjoint(passes[2])


def test_a_file_without_texts_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("body\nhello\n")
    with pytest.raises(ValueError, match="no column"):
        texts.load(file)
    file.write_text("text\n")
    with pytest.raises(ValueError, match="no rows"):
        texts.load(file)
