"""The formats that are written, a line each: what the command line and HTTP offer follows it.

A new format is a module of this package (see ``base.Writer``), a line here, and a case in ``registry.open_writer``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """One format.

    Attributes:
        name: what ``--to`` and the field ``output`` take.
        suffixes: of files; the first is the one that we give.
        streamed: whether it can be written without going back, as standard output asks for.
        media_type: of a result over HTTP; None: it is not offered there.
    """

    name: str
    suffixes: tuple[str, ...]
    streamed: bool = False
    media_type: str | None = None


OUTPUTS = (
    OutputFormat("csv", (".csv",), streamed=True, media_type="text/csv"),
    OutputFormat("tsv", (".tsv", ".tab"), streamed=True),
    OutputFormat("jsonl", (".jsonl", ".ndjson"), streamed=True, media_type="application/x-ndjson"),
    OutputFormat("parquet", (".parquet", ".pq"), media_type="application/vnd.apache.parquet"),
    OutputFormat("sqlite", (".sqlite", ".sqlite3", ".db"), media_type="application/vnd.sqlite3"),
)
#: By name.
FORMATS = {one.name: one for one in OUTPUTS}
#: Those that may go to standard output, and the one that does if none is named.
STREAMED = tuple(one.name for one in OUTPUTS if one.streamed)
STREAM_DEFAULT = "jsonl"
#: Those offered over HTTP, with their media types.
MEDIA_TYPES = {one.name: one.media_type for one in OUTPUTS if one.media_type is not None}


def suffix_of(output_format: str) -> str:
    """The suffix that a file of ``output_format``, one of ``FORMATS``, gets from us."""
    return FORMATS[output_format].suffixes[0]
