"""XML of SMS Backup & Restore: ``sms`` and ``mms`` elements whose attributes are the columns, streamed."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any
from xml.parsers import expat

from sluice.backfill.columns import Column, Roles, unique
from sluice.backfill.formats.base import MAX_FIELD_CHARS, ReadOptions
from sluice.backfill.formats.roles import roles_or
from sluice.backfill.formats.surrogates import Repair
from sluice.backfill.inputs.origin import Origin
from sluice.backfill.row import Row
from sluice.tasks.errors import UnreadableArchive

CHUNK_BYTES = 1 << 18
#: Longest element: an unclosed quote would otherwise pull the rest of the file into memory. Holds any attachment.
MAX_ELEMENT_BYTES = 1 << 26
#: Most names of attributes, or of elements: the parser remembers them all, and no backup has so many.
MAX_NAMES = 1_000
#: Deepest nesting: the parser remembers every open element. A backup has four levels.
MAX_DEPTH = 100
#: What every file has, even if no message carries it.
ALWAYS = ("address", "date", "body")
#: The sender among the ``addr`` of an ``mms``, and what stands there for the phone's own number.
FROM, OWN_NUMBER = "137", "insert-address-token"
NO_TEXT = "the message has no text"

_ENCODING = re.compile(rb"""\A[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")

Attributes = dict[str, str]


@dataclass(slots=True)
class Mms:
    """An ``mms`` of which no more is kept than its row needs: its text parts, ``(seq, text)``, and who sent it."""

    attributes: Attributes
    texts: list[tuple[int, str]] = field(default_factory=list)
    chars: int = 0
    sender: str | None = None

    def part(self, part: Attributes) -> None:
        """Keeps a text until the limit of a row is passed; other parts may hold megabytes."""
        text = part.get("text", "null")
        if text == "null" or not part.get("ct", "").startswith("text/plain") or self.chars > MAX_FIELD_CHARS:
            return
        self.chars += len(text) + 1
        self.texts.append((_sequence(part), text[: MAX_FIELD_CHARS + 1]))

    def address(self, one: Attributes) -> None:
        found = one.get("address", "null")
        if self.sender is None and one.get("type") == FROM and found not in ("null", OWN_NUMBER):
            self.sender = found


def open_reader(origin: Origin, options: ReadOptions) -> BackupReader:
    """A reader that has gone through the file once, for its attributes.

    Raises:
        UnreadableArchive: it is no backup of messages, or declares entities.
    """
    return BackupReader(origin, options)


class BackupReader:
    """One row for every ``sms`` and ``mms``, in the order of the file; ``null`` is None.

    The ``body`` of an ``mms`` is its text parts, a line each; its ``address``, if the element has none, the sender's.
    """

    def __init__(self, origin: Origin, options: ReadOptions) -> None:
        self._origin = origin
        self.notes: list[str] = []
        survey = _Survey(origin.name)
        fault = _last(_parse(origin, survey, self.notes))
        if survey.root is None:
            raise UnreadableArchive(f"{origin.name} is no XML of SMS Backup & Restore: {fault or 'it is empty'}")
        survey.note_differences(self.notes)
        self._names = [*survey.names, *(name for name in ALWAYS if name not in survey.names)]
        columns = unique([*self._names, "kind"])
        self.columns: Sequence[Column] = [Column(name) for name in columns]
        self.roles: Roles = roles_or(Roles("body", "address", "date"), origin.name, columns, options)
        assert self.roles.text is not None
        self._text = columns.index(self.roles.text)

    def rows(self) -> Iterator[Row]:
        messages = _Messages(self._origin.name, self._sms, self._mms)
        for fault in _parse(self._origin, messages, []):
            yield from messages.take()
            if fault is not None:
                yield Row([None] * len(self.columns), None, fault)

    def close(self) -> None:
        """Nothing is held between two rows."""

    def _sms(self, attributes: Attributes) -> Row:
        return self._row(attributes, "sms")

    def _mms(self, message: Mms) -> Row:
        attributes = message.attributes
        if message.texts:
            attributes["body"] = "\n".join(text for _, text in sorted(message.texts, key=itemgetter(0)))
        if attributes.get("address", "null") == "null":
            attributes["address"] = message.sender or "null"
        return self._row(attributes, "mms")

    def _row(self, attributes: Attributes, kind: str) -> Row:
        get = attributes.get
        values: list[Any] = [None if (value := get(name)) == "null" else value for name in self._names]
        values.append(kind)
        text = values[self._text]
        if text is None:
            return Row(values, None, NO_TEXT)
        if len(text) > MAX_FIELD_CHARS:
            values[self._text] = None
            return Row(values, None, f"the text is longer than {MAX_FIELD_CHARS:,} characters")
        return Row(values, text)


class _Survey:
    """Attributes and counts of a file."""

    def __init__(self, name: str) -> None:
        self.root: str | None = None
        self.names: dict[str, None] = {}
        self._other_names: set[str] = set()
        self._name = name
        self._claimed: str | None = None
        self._depth = 0
        self._messages = 0
        self._others = 0

    def start(self, tag: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth == 2:
            if tag in ("sms", "mms"):
                self._messages += 1
                if not attributes.keys() <= self.names.keys():
                    self._learn(attributes)
            else:
                self._others += 1
                self._look(tag, attributes)
        elif self._depth == 1:
            self._check_root(tag)
            self._claimed = attributes.get("count")
        else:
            self._look(tag, attributes)

    def end(self, tag: str) -> None:
        self._depth -= 1

    def note_differences(self, notes: list[str]) -> None:
        """Whether the file holds what its root element says."""
        if self._claimed is not None and self._claimed.strip() != str(self._messages):
            claimed = self._claimed if self._claimed.isdecimal() and len(self._claimed) < 20 else "another number of"
            notes.append(f"messages it says that it holds: {claimed}; it holds {self._messages}")
        if self._others:
            notes.append(f"it holds {self._others} elements that are neither sms nor mms: they are left out")

    def _learn(self, attributes: Attributes) -> None:
        self.names.update(dict.fromkeys(attributes))
        if len(self.names) > MAX_NAMES:
            raise UnreadableArchive(
                f"{self._name} has more than {MAX_NAMES:,} different attributes", {"limit": MAX_NAMES}
            )

    def _look(self, tag: str, attributes: Attributes) -> None:
        """At what is no message, only whether it would fill the memory."""
        if self._depth > MAX_DEPTH:
            raise UnreadableArchive(
                f"{self._name} has elements nested deeper than {MAX_DEPTH} levels", {"limit": MAX_DEPTH}
            )
        seen = self._other_names
        if tag not in seen or not attributes.keys() <= seen:
            seen.update((tag, *attributes))
            if len(seen) > MAX_NAMES:
                raise UnreadableArchive(
                    f"{self._name} has more than {MAX_NAMES:,} different elements and attributes", {"limit": MAX_NAMES}
                )

    def _check_root(self, tag: str) -> None:
        if tag == "calls":
            raise UnreadableArchive(f"{self._name} is a backup of calls (root element calls): it holds no messages")
        if tag != "smses":
            raise UnreadableArchive(f"{self._name} is no XML of SMS Backup & Restore: its root element is {tag[:40]!r}")
        self.root = tag


class _Messages:
    """Rows from elements."""

    def __init__(self, name: str, sms: Callable[[Attributes], Row], mms: Callable[[Mms], Row]) -> None:
        self._sms = sms
        self._mms = mms
        self._rows: list[Row] = []
        self._open: Mms | None = None
        self._depth = 0

    def start(self, tag: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth == 2:
            if tag == "sms":
                self._rows.append(self._sms(attributes))
            elif tag == "mms":
                self._open = Mms(attributes)
        elif self._open is not None:
            if tag == "part":
                self._open.part(attributes)
            elif tag == "addr":
                self._open.address(attributes)

    def end(self, tag: str) -> None:
        if self._depth == 2 and self._open is not None:
            self._rows.append(self._mms(self._open))
            self._open = None
        self._depth -= 1

    def take(self) -> list[Row]:
        """The rows since the last call."""
        rows, self._rows = self._rows, []
        return rows


def _parse(origin: Origin, handler: _Survey | _Messages, notes: list[str]) -> Iterator[str | None]:
    """Run the file through ``handler``; yields None after each slice, and at the end the fault that ended it if any."""

    def refuse(*_: object) -> None:
        raise UnreadableArchive(f"{origin.name} declares XML entities, which no backup does: it is not read")

    def doctype(_: str, system: str | None, public: str | None, __: bool) -> None:
        if system is not None or public is not None:  # its entities would be left out of texts without a word
            refuse()

    fed, pending, ended = 0, bytearray(), False
    try:
        with origin.open() as stream:
            head = stream.read(CHUNK_BYTES)
            codec = _codec(head)
            parser = expat.ParserCreate("utf-8" if codec else None)
            parser.buffer_text = True
            parser.StartElementHandler = handler.start
            parser.EndElementHandler = handler.end
            parser.EntityDeclHandler = refuse
            parser.StartDoctypeDeclHandler = doctype
            for data in _clean(head, stream.read, codec, notes):
                pending += data
                incomplete = fed - max(0, parser.CurrentByteIndex)
                if incomplete + len(pending) <= MAX_ELEMENT_BYTES and len(pending) < incomplete:
                    continue  # the parser begins a long element anew with every call
                if incomplete > MAX_ELEMENT_BYTES:
                    yield (
                        f"the XML is broken at line {parser.CurrentLineNumber} (an element has more than"
                        f" {MAX_ELEMENT_BYTES:,} bytes); nothing after it could be read"
                    )
                    return
                parser.Parse(pending)
                fed += len(pending)
                pending = bytearray()
                yield None
        ended = True
        parser.Parse(pending, True)
    except expat.ExpatError as exc:
        reason = expat.ErrorString(exc.code)
        if ended:
            yield f"the XML ends in the middle, at line {exc.lineno} ({reason})"
        else:
            yield f"the XML is broken at line {exc.lineno} ({reason}); nothing after it could be read"
    except (LookupError, ValueError) as exc:  # of encodings that the parser does not know
        raise UnreadableArchive(f"{origin.name} declares an encoding of texts that is not known") from exc
    else:
        yield None


def _codec(head: bytes) -> str | None:
    """The encoding of a file that begins with ``head``, if it is one of Unicode's; the parser knows the others."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in head[:2]:
        return "utf-16-be" if head.startswith(b"\0") else "utf-16-le"
    declared = _ENCODING.match(head[:200])
    return "utf-8" if declared is None or declared[1].lower() in (b"utf-8", b"utf8") else None


def _clean(head: bytes, read: Callable[[int], bytes], codec: str | None, notes: list[str]) -> Iterator[bytes]:
    """The file's bytes as a parser takes them: in UTF-8, if they are in ``codec``."""
    decoder = codecs.getincrementaldecoder(codec or "utf-8")("strict")
    repair = Repair()
    data = head
    while True:
        clean = data
        if codec:
            state = decoder.getstate()
            try:
                clean = decoder.decode(data, not data).encode()
            except UnicodeDecodeError:
                decoder.setstate(state)
                decoder.errors = "replace"
                notes.append(f"it has bytes that are no {codec.upper()}: they are read as U+FFFD")
                clean = decoder.decode(data, not data).encode()
        yield repair.feed(clean)
        if not data:
            break
        data = read(CHUNK_BYTES)
    yield repair.finish()


def _last(faults: Iterator[str | None]) -> str | None:
    """Run to the end; the fault there."""
    last = None
    for fault in faults:
        last = fault
    return last


def _sequence(part: Attributes) -> int:
    try:
        return int(part.get("seq", "0"))
    except ValueError:
        return 0
