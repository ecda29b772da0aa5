"""A small data set of the tests' own: template messages, so that nothing outside the repository is needed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from sluice.training.data import Example
from sluice.training.templates import make_examples


def write_csv(path: Path, examples: Sequence[Example]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "language", "source"])
        writer.writerows([one.text, one.label, one.language, one.source] for one in examples)
    return path


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    return make_examples(160, seed=7, languages=["en", "fr"])


@pytest.fixture(scope="session")
def data_file(tmp_path_factory: pytest.TempPathFactory, examples: list[Example]) -> Path:
    return write_csv(tmp_path_factory.mktemp("data") / "data.csv", examples)
