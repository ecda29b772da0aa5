"""The writers of the formats of outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.backfill.outputs.base import State, Writer
from sluice.backfill.outputs.table import FORMATS, OUTPUTS
from sluice.backfill.table.columns import Column
from sluice.tasks.errors import UnwritableOutput


def format_of(path: Path) -> str | None:
    """The format that the suffix of ``path`` stands for, whatever its case; None if it stands for none."""
    suffix = path.suffix.lower()
    return next((one.name for one in OUTPUTS if suffix in one.suffixes), None)


def open_writer(output_format: str, partial: Path, columns: Sequence[Column], state: State | None) -> Writer:
    """A writer of ``output_format``, one of ``FORMATS``, into ``partial``.

    Args:
        state: where to go on; None to begin, whatever ``partial`` holds.

    Raises:
        UnwritableOutput: the format is unknown, ``partial`` cannot be written, or it holds less than ``state`` says.
    """
    if output_format in ("csv", "tsv"):
        from sluice.backfill.outputs.delimited import DelimitedWriter

        return DelimitedWriter(partial, columns, state, "," if output_format == "csv" else "\t")
    if output_format == "jsonl":
        from sluice.backfill.outputs.jsonl import JsonlWriter

        return JsonlWriter(partial, columns, state)
    if output_format == "parquet":
        from sluice.backfill.outputs.parquet import ParquetWriter

        return ParquetWriter(partial, columns, state)
    if output_format == "sqlite":
        from sluice.backfill.outputs.sqlite import SqliteWriter

        return SqliteWriter(partial, columns, state)
    raise UnwritableOutput(f"there is no output format {output_format!r}: choose one of {', '.join(FORMATS)}")
