"""Arrow IPC: files, streams, Feather version 2."""

from __future__ import annotations

from sluice.backfill.formats.base import Finding, Reader
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.sample import Sample
from sluice.backfill.run.read_options import ReadOptions


def probe(sample: Sample) -> Finding | None:
    return Finding() if sample.data.startswith(b"ARROW1") or _is_stream(sample.data) else None


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> Reader:
    """See ``columnar``, which is loaded for it."""
    from sluice.backfill.formats import columnar

    return columnar.open_reader(input_file, options)


def _is_stream(data: bytes) -> bool:
    """A continuation mark, then the length of a message, in whole words of eight bytes."""
    length = int.from_bytes(data[4:8], "little")
    return data.startswith(b"\xff\xff\xff\xff") and 0 < length < 1 << 24 and length % 8 == 0
