"""Reads archives in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice.backfill.formats.detect import recognise
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.inputs.packed import PackedFile, file_input
from sluice.backfill.inputs.unpacking import Unpacking
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.run.stop import Stop
from sluice.backfill.source import Source, open_source
from sluice.backfill.table.row import Row

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "archives"


def plan(tmp_path: Path, *inputs: object, max_unpacked_bytes: int = 0, **options: Any) -> Plan:
    return Plan(
        tuple(map(str, inputs)),
        tmp_path / "out.csv",
        "csv",
        ReadOptions(**options),
        max_unpacked_bytes=max_unpacked_bytes,
    )


def opened(tmp_path: Path, *inputs: object, **options: Any) -> Source:
    return open_source(plan(tmp_path, *inputs, **options), Stop())


def read(tmp_path: Path, *inputs: object, **options: Any) -> list[Row]:
    with opened(tmp_path, *inputs, **options) as source:
        return list(source.rows())


def texts(tmp_path: Path, *inputs: object, **options: Any) -> list[str | None]:
    return [row.text for row in read(tmp_path, *inputs, **options)]


def input_file(folder: Path, content: bytes | Path) -> PackedFile:
    """The origin of a file, or of these bytes in a file of ``folder``."""
    path = content if isinstance(content, Path) else folder / "archive"
    if isinstance(content, bytes):
        path.write_bytes(content)
    return file_input(path, path.name, path.stat().st_size, Unpacking(folder / "run", 0, lambda: None))


def format_name(file: InputFile, **options: Any) -> str | None:
    """The name of the format that a file is recognised as."""
    found = recognise(file, ReadOptions(**options))
    return None if found is None else found.name
