"""Names of uploaded files. They come from strangers: for screens and for the download's name, never for paths."""

from __future__ import annotations

import unicodedata

from sluice.backfill.formats.table import SUFFIXES
from sluice.backfill.outputs.table import suffix_of

MAX_NAME_CHARS = 100
DEFAULT = "archive"


def shown_name(given: str | None) -> str:
    """The last part of a path of any system, without control, format and other invisible characters."""
    last = (given or "").replace("\\", "/").rpartition("/")[2]
    clean = "".join(char if not unicodedata.category(char).startswith(("C", "Z")) else " " for char in last)
    return " ".join(clean.split())[:MAX_NAME_CHARS].strip() or DEFAULT


def result_name(names: list[str], output: str) -> str:
    """What a download is called: ``sms.csv.gz`` becomes ``sms.classified.csv``."""
    stem = names[0] if len(names) == 1 else DEFAULT
    while suffix := next((one for one in SUFFIXES if stem.lower().endswith(one)), None):
        stem = stem[: -len(suffix)]
    return f"{stem.strip('. ') or DEFAULT}.classified{suffix_of(output)}"
