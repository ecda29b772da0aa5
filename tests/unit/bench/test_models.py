"""The folders with random weights that measurements use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.bench.models import SPECIAL, make_vocabulary, mbert_folder
from sluice.config.settings import read
from sluice.harness import texts
from sluice.worker.model.loader import load

SMALL: dict[str, Any] = {"layers": 2, "hidden": 32, "heads": 2, "rows": 5000}


def test_a_folder_loads_and_classifies(tmp_path: Path) -> None:
    classifier = load(read(model=str(mbert_folder(tmp_path / "m", **SMALL)), device="cpu"))
    assert classifier.labels == ("ham", "spam", "phishing")
    ids = classifier.encode(texts.load(count=8))
    assert all(row[0] == 2 and row[-1] == 3 and len(row) > 2 for row in ids)
    assert all(abs(sum(row) - 1) < 1e-5 for row in classifier.forward(ids))


def test_the_same_arguments_give_the_same_folder(tmp_path: Path) -> None:
    first, second = (mbert_folder(tmp_path / name, **SMALL) for name in ("a", "b"))
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_a_folder_is_made_anew_only_for_other_arguments(tmp_path: Path) -> None:
    folder = mbert_folder(tmp_path / "m", **SMALL)
    weights = folder / "model.safetensors"
    before = weights.stat().st_ino
    mbert_folder(folder, **SMALL)
    assert weights.stat().st_ino == before
    mbert_folder(folder, **{**SMALL, "seed": 2})
    assert weights.stat().st_ino != before


def test_what_was_not_made_here_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ValueError, match="something else"):
        mbert_folder(tmp_path, **SMALL)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_given_vocabulary_decides_the_ids(tmp_path: Path) -> None:
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join([*SPECIAL, "win", "##ner", "Öl"]) + "\n", encoding="utf-8")
    classifier = load(read(model=str(mbert_folder(tmp_path / "m", vocabulary=file, **SMALL)), device="cpu"))
    assert classifier.encode(["winner Öl", "WIN"]) == [[2, 5, 6, 7, 3], [2, 1, 3]]


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "vocab.txt"
    file.write_text("hello\nworld\n")
    with pytest.raises(ValueError, match="lacks"):
        mbert_folder(tmp_path / "m", vocabulary=file, **SMALL)
    assert not (tmp_path / "m").exists()


def test_the_vocabulary_made_here_knows_every_character() -> None:
    pieces = set(make_vocabulary(["schön 早上", "x1"], size=100))
    assert {"s", "##s", "ö", "##ö", "早", "##上", "1", "##1", "sch"} <= pieces
