"""What ends a line of a table, where a carriage return may also be a character of a field."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Stands for a carriage return that ends nothing, which the ``csv`` module cannot be told. Half a character of UTF-16
#: is in no text that was decoded.
KEPT = "\ud80d"
_FIRST_END = re.compile(r"\r*\n|\r")
_ENDS = re.compile(r"\r+(?![\r\n]|\Z)")


def newline_of(text: str) -> str:
    """What ``open`` takes for the lines of a table that begins with ``text``.

    That is LF, behind which a CR may stand, and then a lone CR ends nothing; or, in the files of old Macs, whose first
    line a lone CR ends, either of them, as it comes.
    """
    end = _FIRST_END.search(text.lstrip("\ufeff\r\n"))
    return "" if end is not None and "\n" not in end[0] else "\n"


def kept(text: str) -> str:
    """Lines that end in LF, with carriage returns elsewhere put out of the way of the ``csv`` module."""
    return _ENDS.sub(lambda found: KEPT * len(found[0]), text) if "\r" in text else text


def restored(fields: Sequence[str]) -> list[str]:
    """Fields with the carriage returns that they had."""
    return [field.replace(KEPT, "\r") for field in fields]
