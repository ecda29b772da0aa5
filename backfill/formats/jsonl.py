"""JSON Lines: one object a line; and a JSON array of objects, also in an object around it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, AnyStr, BinaryIO

import orjson

from sluice.backfill.formats.base import MAX_FIELD_CHARS, Finding
from sluice.backfill.formats.encoding import Encoding, whole
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.json_array import BROKEN, ArrayElements, begin_of
from sluice.backfill.formats.keys import Keys
from sluice.backfill.formats.roles import roles_of
from sluice.backfill.formats.sample import Sample
from sluice.backfill.run.facts import Note
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Column, unique
from sluice.backfill.table.row import Row
from sluice.tasks.errors import DamagedArchive, NoMessages

_MARK = b"\xef\xbb\xbf"
#: Digits that an integer beyond 64 bits has at least. The quick parser makes a floating-point number of such a one.
_MANY_DIGITS = b"0" * 20
_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)

#: Lines that are looked at.
LINES = 20

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFinding(Finding):
    """Where the objects are.

    Attributes:
        begin: the character at which their array begins; None if there is an object a line.
        wrapped: the array is in an object.
    """

    encoding: Encoding
    begin: int | None
    wrapped: bool


def probe(sample: Sample) -> JsonFinding | None:
    """An array of objects, also in an object, or lines of which half are objects."""
    return layout_of(sample) if sample.once(is_json) else None


def layout_of(sample: Sample) -> JsonFinding:
    """How JSON lies in a file that is JSON."""
    body = sample.text.lstrip("\ufeff \t\r\n")
    begin = begin_of(body)
    at = None if begin is None else len(sample.text) - len(body) + begin
    return JsonFinding(encoding=sample.encoding, begin=at, wrapped=bool(begin))


def is_json(sample: Sample) -> bool:
    head = sample.head
    if head.startswith("["):
        return re.match(r"\[\s*(\{\s*[\"}]|\])", head) is not None
    if not head.startswith("{"):
        return False
    if begin_of(head) is not None:
        return True
    lines = [line for line in head.split("\n") if line.strip()]  # texts may hold what else ends a line
    whole_lines = lines if sample.complete else lines[:-1]
    if not whole_lines:
        return re.match(r'\{\s*"', head) is not None
    good = sum(_is_object(line) for line in whole_lines[:LINES])
    return 2 * good >= len(whole_lines[:LINES])


def _is_object(line: str) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return isinstance(parsed_leniently(line), dict)


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> JsonReader:
    """The rows of a file of JSON objects; their keys are the columns.

    Raises:
        UnreadableArchive: no object in it, no such key, too many keys.
    """
    found = finding if isinstance(finding, JsonFinding) else layout_of(Sample.of(input_file, options))
    return JsonReader(input_file, options, found)


class JsonReader:
    """See ``open_reader``. A column is typed where all its values are; nested values stay as they are."""

    def __init__(self, input_file: InputFile, options: ReadOptions, finding: JsonFinding) -> None:
        self._input_file = input_file
        self._finding = finding
        self._encoding = finding.encoding
        keys = Keys(input_file.name)
        broken = False
        for found in self._objects():
            if isinstance(found, str):
                broken = broken or BROKEN in found
            else:
                keys.add(found)
        self._keys = keys.names()
        self._as_floats = keys.mixed_numbers()
        names = unique(self._keys)
        self.columns: Sequence[Column] = [Column(name, kind) for name, kind in zip(names, keys.types(), strict=True)]
        if not names and broken:
            raise DamagedArchive(f"{input_file.name} is a broken JSON array: no object of it can be read")
        if not names:
            raise NoMessages(f"{input_file.name} holds no JSON object with a key")
        self.roles = roles_of(input_file.name, names, options, {names[at] for at in keys.textless()})
        self._text_key = self._keys[names.index(self.roles.text or "")]
        self.notes: list[Note] = [self._encoding.note] if self._encoding.note else []

    def close(self) -> None:
        """Nothing is open between two calls of ``rows``."""

    def rows(self) -> Iterator[Row]:
        rows = map(self._row, self._objects())
        return rows if self._encoding.is_utf8 else map(whole, rows)

    def _row(self, found: Object | str) -> Row:
        if isinstance(found, str):
            return Row([None] * len(self._keys), None, found)
        values = [found.get(key) for key in self._keys]
        for index in self._as_floats:
            number = values[index]
            if number is not None:
                values[index] = float(number)
        text = joined(found.get(self._text_key))
        if isinstance(text, str):
            return Row(values, text)
        problem = "is missing" if text is None else "is no string"
        return Row(values, None, f"the text, {self.roles.text!r}, {problem}")

    def _objects(self) -> Iterator[Object | str]:
        return found_in(self._input_file, self._finding)


def joined(text: Any) -> Any:
    """A text that is a list of pieces, strings and objects with a ``text``, as Telegram writes links; else as it is."""
    if not isinstance(text, list):
        return text
    pieces = [piece.get("text") if isinstance(piece, dict) else piece for piece in text]
    strings = [piece for piece in pieces if isinstance(piece, str)]
    return "".join(strings) if strings and len(strings) == len(pieces) else text


def found_in(input_file: InputFile, layout: JsonFinding) -> Iterator[Object | str]:
    """Every object of a file of JSON, lines or an array, or the problem of what stands in place of one."""
    encoding = layout.encoding
    with input_file.open() as raw:
        if layout.begin is not None:
            with io.TextIOWrapper(raw, encoding.name, encoding.errors, newline="") as stream:
                stream.read(layout.begin)
                yield from ArrayElements(stream.read, wrapped=layout.wrapped)
        elif encoding.is_utf8:
            yield from objects(raw)
        else:
            with io.TextIOWrapper(raw, encoding.name, encoding.errors, newline="\n") as text:
                yield from _parsed(_lines(text.readline, "\n", "\ufeff"))


def objects(stream: BinaryIO) -> Iterator[Object | str]:
    """Every object of lines in UTF-8, or the problem of what stands in place of one. Blank lines are left out."""
    return _parsed(_lines(stream.readline, b"\n", _MARK))


def _lines(readline: Callable[[int], AnyStr], end: AnyStr, mark: AnyStr) -> Iterator[AnyStr | None]:
    """Lines with their ends, the first without a ``mark``; None for an over-long one."""
    while line := readline(MAX_FIELD_CHARS):
        if len(line) < MAX_FIELD_CHARS or line.endswith(end):
            yield line.removeprefix(mark)
            continue
        while (rest := readline(MAX_FIELD_CHARS)) and not rest.endswith(end):
            pass
        yield None


def _parsed(lines: Iterator[str | bytes | None]) -> Iterator[Object | str]:
    for number, line in enumerate(lines, 1):
        if line is None:
            yield f"line {number} is longer than {MAX_FIELD_CHARS:,} characters"
            continue
        try:
            found = loads(line)
        except orjson.JSONDecodeError:
            if not line.strip():
                continue
            found = parsed_leniently(line)
        if isinstance(found, dict):
            yield found
        else:
            yield f"line {number} is no valid JSON object"


def loads(data: str | bytes) -> Any:
    """What ``data`` says, with all digits of its integers.

    Raises:
        orjson.JSONDecodeError: it is no JSON.
    """
    found = orjson.loads(data)
    ascii_too = data if isinstance(data, bytes) else data.encode()
    if _MANY_DIGITS not in ascii_too.translate(_AS_ZEROS):
        return found
    try:
        return json.loads(data)
    except (ValueError, RecursionError):  # thousands of digits, or of levels
        return found


def parsed_leniently(line: str | bytes) -> Any:
    """As ``loads``, but broken characters, NaN and infinities are let through; None for what is broken otherwise."""
    return _leniently(line if isinstance(line, str) else line.decode("utf-8", "surrogateescape"))


def _leniently(text: str) -> Any:
    """As the standard library has it, which lets broken characters through: the row then fails by its text alone.

    None for what is broken otherwise, and for names of columns that cannot be written.
    """
    try:
        found = json.loads(text)
        for one in found if isinstance(found, list) else [found]:
            "".join(one).encode() if isinstance(one, dict) else None
    except (ValueError, RecursionError):
        return None
    return found
