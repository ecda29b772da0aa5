"""The elements of a JSON array, read one after the other: a whole one may be larger than the memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

CHUNK_CHARS = 1 << 18
#: Longest element, in characters. Holds any attachment.
MAX_ELEMENT_CHARS = 1 << 26
#: Names under which programs have the array of their messages, behind values that are no messages.
_LISTS = "messages|items|data|rows|results|records"
_STRING = r"""(?:"(?:[^"\\]|\\.)*")"""
_FLAT = rf"(?:\{{(?:{_STRING}|[^{{}}\[\]\"])*\}})"
_VALUE = rf"(?:{_STRING}|{_FLAT}|\[(?:{_STRING}|{_FLAT}|[^{{}}\[\]\"])*\]|-?[\d.eE+-]+|true|false|null)"
_WRAPPED = re.compile(rf"""\{{\s*(?:{_STRING}\s*:\s*{_VALUE}\s*,\s*)*"(?:{_LISTS})"\s*:\s*(?=\[\s*\{{)""")
_SPACE = re.compile(r"[ \t\r\n]*")
_ANY_OBJECT = r'"'
#: Errors so near to the end of what has been read may be due to that end.
_NEAR = 32
#: What is said of an element that cannot be read.
BROKEN = "is broken or cut off"
_DAMAGED, _TOO_LONG = object(), object()
_decode = json.JSONDecoder().raw_decode


def begin_of(head: str) -> int | None:
    """Where the array of a text that begins with ``head`` begins: at the start, or in an object around it."""
    if head.startswith("["):
        return 0
    wrapped = _WRAPPED.match(head)
    if wrapped is None:
        return None
    line, _, rest = head.partition("\n")
    return None if rest.strip() and _is_whole(line) else wrapped.end()


def _is_whole(line: str) -> bool:
    """Whether a line is an object of its own, in a file of lines."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class ArrayElements:
    """Iterates over elements; an element that cannot be read is a sentence, and the next one is looked for.

    Args:
        read: gives more characters, none at the end; the first is ``[``.
        wrapped: other things stand behind the array.
    """

    def __init__(self, read: Callable[[int], str], *, wrapped: bool) -> None:
        self._read = read
        self._wrapped = wrapped
        self._text = ""
        self._at = 0
        self._ended = False
        self._key = _ANY_OBJECT

    def __iter__(self) -> Iterator[dict[str, Any] | str]:
        self._fill(1)
        self._at = 1
        number = 0
        if self._ends():
            return
        while True:
            number += 1
            value = self._element()
            if value is _TOO_LONG:
                yield f"element {number} of the JSON array has more than {MAX_ELEMENT_CHARS:,} characters"
            elif value is not _DAMAGED:
                yield self._checked(value, number)
                if self._next() == ",":
                    self._at += 1
                    if not self._ends():
                        continue
                if self._ends():
                    return
                number += 1
            if value is not _TOO_LONG:
                yield f"element {number} of the JSON array {BROKEN}"
            if not self._found_next():
                return

    def _checked(self, value: Any, number: int) -> dict[str, Any] | str:
        if not isinstance(value, dict):
            return f"element {number} is no JSON object"
        try:
            "".join(value).encode()
        except UnicodeEncodeError:
            return f"element {number} has a key that is no Unicode"
        if self._key is _ANY_OBJECT and value:
            self._key = re.escape(json.dumps(next(iter(value)))) + r"\s*:"
        return value

    def _element(self) -> Any:
        """The element, behind which the reader then is; or ``_DAMAGED`` or ``_TOO_LONG``, and it stays where it is."""
        self._next()
        while True:
            length = len(self._text)
            try:
                value, end = _decode(self._text, self._at)
                if end < length or self._ended:
                    self._at = end
                    return value
            except json.JSONDecodeError as exc:
                if not exc.msg.startswith("Unterminated string") and exc.pos < length - _NEAR:
                    return _DAMAGED
            except (ValueError, RecursionError):
                return _DAMAGED
            if self._ended:
                return _DAMAGED
            if length - self._at > MAX_ELEMENT_CHARS:
                return _TOO_LONG
            # Twice as much, for the element is begun anew.
            self._fill(max(CHUNK_CHARS, length - self._at))

    def _next(self) -> str:
        """The next character that is no space, where the reader then is; none at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._fill(CHUNK_CHARS)

    def _ends(self) -> bool:
        """Whether the array ends here, and nothing that belongs to it follows."""
        if self._next() != "]":
            return False
        while not (self._wrapped or self._ended or self._text[self._at + 1 :].strip()):
            self._fill(CHUNK_CHARS)
        return self._wrapped or not self._text[self._at + 1 :].strip()

    def _found_next(self) -> bool:
        """Whether there is another element; the reader is then at its beginning."""
        pattern = re.compile(rf",\s*(\{{\s*{self._key})")
        self._at += 1
        while True:
            found = pattern.search(self._text, self._at)
            if found:
                self._at = found.start(1)
                return True
            if self._ended:
                return False
            self._at = max(self._at, len(self._text) - 4_096)  # a comma and a key may be cut
            self._fill(CHUNK_CHARS)

    def _fill(self, count: int) -> None:
        more = self._read(count)
        self._ended = not more
        self._text, self._at = self._text[self._at :] + more, 0
