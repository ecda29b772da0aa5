"""Archives that are written to be classified."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sluice.harness import archives, texts


def test_generated_texts_are_all_different_but_for_the_share_that_is_asked_for() -> None:
    assert len(set(archives.generate(10_000))) == 10_000
    generated = list(archives.generate(10_000, 0.31))
    assert 0.29 < 1 - len(set(generated)) / len(generated) < 0.33


def test_the_same_arguments_give_the_same_texts() -> None:
    assert list(archives.generate(500, 0.3)) == list(archives.generate(500, 0.3))
    assert list(archives.generate(500, 0.3)) != list(archives.generate(500, 0.3, seed=2))


def test_an_archive_is_read_back_packed_or_not(tmp_path: Path) -> None:
    plain = archives.write(tmp_path / "a.csv", 50)
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert texts.read(packed) == texts.read(plain) == list(archives.generate(50))


def test_an_archive_without_texts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,body\n1,hello\n")
    (tmp_path / "b.csv").write_text("id,text\n")
    for name, says in (("a.csv", "no column"), ("b.csv", "no rows")):
        with pytest.raises(ValueError, match=says):
            texts.read(tmp_path / name)
