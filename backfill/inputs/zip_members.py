"""Members of ZIP files, by their paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zipfile import ZipFile, ZipInfo

from sluice.backfill.inputs.attachments import SMS_IE_DATA


def members_of(archive: ZipFile) -> Iterator[ZipInfo]:
    """The files in it, but for what systems hide there."""
    for member in archive.infolist():
        parts = parts_of(member)
        # Not ``is_dir``, which an empty name stops.
        if (
            not member.filename.endswith(("/", "\\"))
            and parts[:1] != ["__MACOSX"]
            and not any(part.startswith(".") for part in parts)
        ):
            yield member


def parts_of(member: ZipInfo) -> list[str]:
    """Its path, which nothing is ever written to; some programs on Windows write it with backslashes."""
    return [part for part in re.split(r"[/\\]", member.filename) if part not in ("", ".", "..")]


def folder_of(member: ZipInfo) -> list[str]:
    """The folder that it lies in."""
    return parts_of(member)[:-1]


def is_part_of(member: ZipInfo, export: ZipInfo) -> bool:
    """Whether it is an attachment in an export of SMS Import / Export, which has them in ``data``."""
    folder = [*folder_of(export), SMS_IE_DATA]
    return parts_of(member)[: len(folder)] == folder
