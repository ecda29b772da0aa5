"""Values of typed columns in formats that have fewer types: text and JSON."""

from __future__ import annotations

import base64
import math
import re
from datetime import date, time, timedelta
from typing import Any

import orjson

#: Deepest nesting that is written as JSON; the encoder has a limit too, a little above.
MAX_DEPTH = 200
TOO_DEEP = f"(nested deeper than {MAX_DEPTH} levels)"
#: Integers that the encoder takes.
MIN_INT, MAX_INT = -(2**63), 2**64 - 1

_SURROGATES = re.compile("[\ud800-\udfff]")


def unicode(text: str) -> str:
    """``text`` with every surrogate, which no encoding can carry, as U+FFFD."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def as_text(value: Any) -> str:
    """One value, not None, as the text that stands for it: what CSV and text columns hold.

    true and false; numbers in full; times as ISO 8601; durations in seconds; bytes in base64; JSON for what is nested.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (date, time)):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, (dict, list, tuple)):
        return as_json(value).decode("utf-8")
    return str(value)


def as_json(value: Any) -> bytes:
    """JSON of anything, without a line break; never raises.

    What JSON has no type for is what ``as_text`` makes of it; NaN and infinities are null, integers beyond 64 bits and
    decimals text; surrogates become U+FFFD.
    """
    try:
        return orjson.dumps(value, default=_simpler)
    except TypeError:  # surrogates, large integers, keys that are no text, times of a zone, too deep
        return orjson.dumps(_simple(value, 0))


def _simpler(value: Any) -> Any:
    """What orjson asks for when it meets a type that it does not know."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, tuple):
        return list(value)
    return unicode(as_text(value))


def _simple(value: Any, depth: int) -> Any:
    """``value`` of nothing but what every JSON encoder takes."""
    if isinstance(value, (dict, list, tuple)):
        if depth >= MAX_DEPTH:
            return TOO_DEEP
        if isinstance(value, dict):
            return {unicode(as_text(key)): _simple(item, depth + 1) for key, item in value.items()}
        return [_simple(item, depth + 1) for item in value]
    if isinstance(value, str):
        return unicode(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if MIN_INT <= value <= MAX_INT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _simpler(value)
