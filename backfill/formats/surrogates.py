"""Repair of character references that XML 1.0 forbids, in the bytes before the parser sees them.

Some apps write a character beyond U+FFFF as two references, one for each half of its UTF-16 surrogate pair.
"""

from __future__ import annotations

import re

#: Longest reference that is repaired; with more leading zeros it is left to the parser.
LONGEST = 20
REPLACEMENT = b"&#65533;"

#: Numbers that may be forbidden: the halves of a pair, control characters, and what is no character at all.
_HALF = rb"0{0,8}5[5-7][0-9]{3}|x0{0,8}[dD][89a-fA-F][0-9a-fA-F]{2}"
_CONTROL = rb"0{0,8}(?:[0-8]|1[1245-9]|2[0-9]|3[01])|x0{0,8}(?:[0-8bBcCeEfF]|1[0-9a-fA-F])"
_BEYOND = rb"0{0,8}(?:6553[45]|[1-9][0-9]{6,9})|x0{0,8}(?:[fF]{3}[eEfF]|[1-9a-fA-F][0-9a-fA-F]{5,7})"
_NUMBER = b"(?:" + b"|".join((_HALF, _CONTROL, _BEYOND)) + b")"
_RUN = re.compile(b"&#" + _NUMBER + b";(?:&#" + _NUMBER + b";)*")  # begins with a literal: that is what is quick
_REFERENCE = re.compile(rb"&#(x?)([0-9a-fA-F]+);")
_HALF_AT_END = re.compile(rb"&#(?:" + _HALF + rb");\Z")
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r")
_RAW_CONTROL = re.compile(b"[" + re.escape(_CONTROLS) + b"]")


class Repair:
    """A filter over the bytes of an XML file in an encoding that contains ASCII.

    A pair of references becomes the one reference that is meant; lone halves, control characters (written as references
    or as they are) and numbers beyond Unicode become U+FFFD. Everything else passes unchanged.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """The next bytes; what may be cut in two by the end of ``data`` is held back for the next call."""
        data = self._held + data
        cut = _safe_cut(data)
        self._held = data[cut:]
        return _repaired(data[:cut])

    def finish(self) -> bytes:
        """What is held back still."""
        held, self._held = self._held, b""
        return _repaired(held)


def _safe_cut(data: bytes) -> int:
    """Where ``data`` can be cut without parting a reference or two halves."""
    # Only the last reference can be incomplete, and a complete one at the very end may be the first half of a pair.
    start = data.rfind(b"&", max(0, len(data) - LONGEST))
    if start < 0:
        return len(data)
    end = data.find(b";", start)
    if 0 <= end < len(data) - 1:
        return len(data)
    before = _HALF_AT_END.search(data, max(0, start - LONGEST), start)
    return before.start() if before and _is_high(_code(before[0])) else start


def _repaired(data: bytes) -> bytes:
    if len(data.translate(None, _CONTROLS)) != len(data):
        data = _RAW_CONTROL.sub(REPLACEMENT, data)
    return _RUN.sub(_replace, data) if b"&#" in data else data


def _replace(run: re.Match[bytes]) -> bytes:
    result: list[bytes] = []
    high: int | None = None
    for reference in _REFERENCE.finditer(run[0]):
        code = _code(reference[0])
        if high is not None:
            if 0xDC00 <= code <= 0xDFFF:
                result.append(b"&#%d;" % (0x10000 + ((high - 0xD800) << 10) + code - 0xDC00))
                high = None
                continue
            result.append(REPLACEMENT)
            high = None
        if _is_high(code):
            high = code
        else:
            result.append(reference[0] if _is_allowed(code) else REPLACEMENT)
    if high is not None:
        result.append(REPLACEMENT)
    return b"".join(result)


def _code(reference: bytes) -> int:
    digits = reference[2:-1]
    return int(digits[1:], 16) if digits[:1] == b"x" else int(digits)


def _is_high(code: int) -> bool:
    return 0xD800 <= code <= 0xDBFF


def _is_allowed(code: int) -> bool:
    """Whether XML 1.0 has this character."""
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
