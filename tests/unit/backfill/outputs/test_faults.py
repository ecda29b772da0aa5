"""Outputs that cannot be written: one clear error, whatever the format."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.outputs.table import FORMATS
from sluice.backfill.table.columns import Column
from sluice.tasks.errors import UnwritableOutput
from tests.unit.backfill.outputs.reading import read_back
from tests.unit.backfill.wording import refused

COLUMNS = [Column("text")]
LIMIT_BYTES = 2_000_000
ROWS = [[f"{number:04}{'x' * 996}"] for number in range(1_000)]


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond ``LIMIT_BYTES``: the system refuses as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_folder_that_is_not_there(tmp_path: Path, output_format: str) -> None:
    path = tmp_path / "no" / "out"
    with pytest.raises(UnwritableOutput, match=f"{path}.* cannot be written"):
        open_writer(output_format, path, COLUMNS, None)


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_partial_file_that_is_gone(tmp_path: Path, output_format: str) -> None:
    path = tmp_path / "out"
    writer = open_writer(output_format, path, COLUMNS, None)
    writer.write([["a"]])
    state = writer.commit()
    writer.close()
    for left in tmp_path.iterdir():
        left.unlink()
    with refused(UnwritableOutput, r"holds less than its checkpoint says.*--restart"):
        open_writer(output_format, path, COLUMNS, state)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_partial_file_with_less_than_was_committed(tmp_path: Path, output_format: str) -> None:
    path = tmp_path / "out"
    writer = open_writer(output_format, path, COLUMNS, None)
    earlier = writer.commit()
    writer.write([["a"]])
    later = writer.commit()
    writer.close()
    writer = open_writer(output_format, path, COLUMNS, earlier)
    writer.commit()
    writer.close()
    with pytest.raises(UnwritableOutput, match="holds less than its checkpoint says"):
        open_writer(output_format, path, COLUMNS, later)


@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize("output_format", FORMATS)
def test_a_disk_that_fills_up_and_is_cleared_costs_no_row(tmp_path: Path, output_format: str) -> None:
    path = tmp_path / "out"
    writer = open_writer(output_format, path, COLUMNS, None)
    writer.write(ROWS[:10])
    state = writer.commit()
    with pytest.raises(UnwritableOutput, match=f"{path}.* cannot be written \\(") as raised:
        for _ in range(20):
            writer.write(ROWS)
            writer.commit()
    writer.close()
    assert "xxx" not in str(raised.value)

    writer = open_writer(output_format, path, COLUMNS, state)
    writer.write(ROWS[10:20])
    writer.finish()
    writer.close()
    assert read_back(output_format, path)[1] == ROWS[:20]


def test_a_disk_that_fills_up_while_parquet_is_made(tmp_path: Path) -> None:
    path = tmp_path / "out"
    writer = open_writer("parquet", path, COLUMNS, None)
    writer.write([["text"]])
    path.symlink_to("/dev/full")
    with pytest.raises(UnwritableOutput, match="No space left"):
        writer.finish()
    writer.close()
    path.unlink()


def test_a_full_device(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.symlink_to("/dev/full")
    for output_format in ("csv", "tsv"):
        with pytest.raises(UnwritableOutput, match="No space left"):
            open_writer(output_format, path, COLUMNS, None)
