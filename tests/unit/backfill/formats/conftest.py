"""A plain file as an input_file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.unit.backfill.inputs.reading import FIXTURES


class PlainFile:
    """An ``InputFile`` over a file that is not packed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._share = 0.0
        self.name = str(path)
        self.size = path.stat().st_size

    def open(self) -> BinaryIO:
        return self._path.open("rb")

    def local_path(self) -> Path:
        return self._path

    @property
    def position(self) -> int:
        return int(self.size * self._share)

    def report(self, share: float) -> None:
        assert 0 <= share <= 1
        self._share = share

    def check(self) -> None:
        """No test of a reader stops it."""


@pytest.fixture
def input_file(tmp_path: Path) -> Callable[[bytes | Path], PlainFile]:
    """Makes an origin of a path, or of these bytes."""

    def make(content: bytes | Path) -> PlainFile:
        if isinstance(content, Path):
            return PlainFile(content)
        path = tmp_path / "archive"
        path.write_bytes(content)
        return PlainFile(path)

    return make


@pytest.fixture
def fixtures() -> Path:
    return FIXTURES


@pytest.fixture
def by_name() -> Callable[[Any], list[dict[str, Any]]]:
    """The rows of a reader as dictionaries."""

    def read(reader: Any) -> list[dict[str, Any]]:
        names = [column.name for column in reader.columns]
        return [dict(zip(names, row.values, strict=True)) for row in reader.rows()]

    return read
