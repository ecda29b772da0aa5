"""Parquet."""

from __future__ import annotations

from sluice.backfill.formats.base import Finding, Reader
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.sample import Sample
from sluice.backfill.run.read_options import ReadOptions


def probe(sample: Sample) -> Finding | None:
    return Finding() if sample.data.startswith(b"PAR1") else None


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> Reader:
    """See ``columnar``, which is loaded for it."""
    from sluice.backfill.formats import columnar

    return columnar.open_reader(input_file, options)
