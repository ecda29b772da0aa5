"""XML of SMS Backup & Restore: ``sms`` and ``mms`` elements whose attributes are the columns, streamed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any
from xml.parsers import expat

from sluice.backfill.formats.base import MAX_FIELD_CHARS, Finding
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.roles import roles_or
from sluice.backfill.formats.sample import Sample
from sluice.backfill.formats.xml_stream import ElementStream, UnendedMessage
from sluice.backfill.run.facts import Quoted
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Column, Roles, unique
from sluice.backfill.table.row import Row
from sluice.tasks.errors import DamagedArchive, NoMessages
from sluice.tasks.sentence import Sentence

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
MESSAGES = ("sms", "mms")

_ELEMENT = re.compile(r"<([A-Za-z_][\w:.-]*)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)

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


def probe(sample: Sample) -> Finding | None:
    """Its root is that of a backup, of messages or (for an error that says so) of calls."""
    if not sample.head.startswith("<"):
        return None
    element = _ELEMENT.search(_COMMENT.sub("", sample.head))
    return Finding() if element is not None and element[1] in ("smses", "calls") else None


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> BackupReader:
    """A reader that has gone through the file once, for its attributes.

    Raises:
        UnreadableArchive: it is no backup of messages, or declares entities.
    """
    return BackupReader(input_file, options)


class BackupReader:
    """One row for every ``sms`` and ``mms``, in the order of the file; ``null`` is None.

    The ``body`` of an ``mms`` is its text parts, a line each; its ``address``, if the element has none, the sender's.
    """

    def __init__(self, input_file: InputFile, options: ReadOptions) -> None:
        self._input_file = input_file
        self.notes: list[str] = []
        survey = _Survey(input_file.name)
        stream = ElementStream(input_file, survey, self.notes, MAX_ELEMENT_BYTES, CHUNK_BYTES)
        for _ in stream.run():
            pass
        if survey.root is None:
            raise NoMessages(f"{input_file.name} is no XML of SMS Backup & Restore: {stream.fault or 'it is empty'}")
        survey.note_differences(stream.damaged, self.notes)
        self._names = [*survey.names, *(name for name in ALWAYS if name not in survey.names)]
        columns = unique([*self._names, "kind"])
        self.columns: Sequence[Column] = [Column(name) for name in columns]
        self.roles: Roles = roles_or(Roles("body", "address", "date"), input_file.name, columns, options)
        assert self.roles.text is not None
        self._text = columns.index(self.roles.text)

    def rows(self) -> Iterator[Row]:
        messages = _Messages(self._input_file.name, self._sms, self._mms)
        for fault in ElementStream(self._input_file, messages, [], MAX_ELEMENT_BYTES, CHUNK_BYTES).run():
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

    parser: expat.XMLParserType

    def __init__(self, name: str) -> None:
        self.root: str | None = None
        self.names: dict[str, None] = {}
        self._other_names: set[str] = set()
        self._name = name
        self._claimed: str | None = None
        self._depth = 0
        self._messages = 0
        self._others = 0
        self.in_mms = False

    def start(self, tag: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth == 2:
            if tag in MESSAGES:
                self.in_mms = tag == "mms"
                self._messages += 1
                if not attributes.keys() <= self.names.keys():
                    self._learn(attributes)
            else:
                self._others += 1
                self._look(tag, attributes)
        elif self._depth == 1:
            self._check_root(tag)
            self._claimed = attributes.get("count")
        elif tag in MESSAGES:
            raise UnendedMessage(self.parser)
        else:
            self._look(tag, attributes)

    def end(self, tag: str) -> None:
        if self._depth == 2:
            self.in_mms = False
        self._depth -= 1

    def resumed(self) -> None:
        self._messages -= self.in_mms  # it is one of those that are damaged
        self._depth, self.in_mms = 1, False
        self.root = self.root or "smses"

    def note_differences(self, damaged: int, notes: list[str]) -> None:
        """Whether the file holds what its root element says; ``damaged`` messages are in it too."""
        held = self._messages - self.in_mms + damaged
        if self._claimed is not None and self._claimed.strip() != str(held):
            claimed = self._claimed if self._claimed.isdecimal() and len(self._claimed) < 20 else "another number of"
            notes.append(f"messages it says that it holds: {claimed}; it holds {held}")
        if self._others:
            notes.append(f"it holds {self._others} elements that are neither sms nor mms: they are left out")

    def _learn(self, attributes: Attributes) -> None:
        self.names.update(dict.fromkeys(attributes))
        if len(self.names) > MAX_NAMES:
            raise DamagedArchive(f"{self._name} has more than {MAX_NAMES:,} different attributes", {"limit": MAX_NAMES})

    def _look(self, tag: str, attributes: Attributes) -> None:
        """At what is no message, only whether it would fill the memory."""
        if self._depth > MAX_DEPTH:
            raise DamagedArchive(
                f"{self._name} has elements nested deeper than {MAX_DEPTH} levels", {"limit": MAX_DEPTH}
            )
        seen = self._other_names
        if tag not in seen or not attributes.keys() <= seen:
            seen.update((tag, *attributes))
            if len(seen) > MAX_NAMES:
                raise DamagedArchive(
                    f"{self._name} has more than {MAX_NAMES:,} different elements and attributes", {"limit": MAX_NAMES}
                )

    def _check_root(self, tag: str) -> None:
        if tag == "calls":
            raise NoMessages(f"{self._name} is a backup of calls (root element calls): it holds no messages")
        if tag != "smses":
            raise NoMessages(
                Sentence(
                    "{file} is no XML of SMS Backup & Restore: its root element is {tag}",
                    file=self._name,
                    tag=Quoted(tag[:40]),
                )
            )
        self.root = tag


class _Messages:
    """Rows from elements."""

    parser: expat.XMLParserType

    def __init__(self, name: str, sms: Callable[[Attributes], Row], mms: Callable[[Mms], Row]) -> None:
        self._sms = sms
        self._mms = mms
        self._rows: list[Row] = []
        self._open: Mms | None = None
        self._depth = 0

    @property
    def in_mms(self) -> bool:
        return self._open is not None

    def start(self, tag: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth == 2:
            if tag == "sms":
                self._rows.append(self._sms(attributes))
            elif tag == "mms":
                self._open = Mms(attributes)
        elif tag in MESSAGES:
            raise UnendedMessage(self.parser)
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

    def resumed(self) -> None:
        self._depth, self._open = 1, None

    def take(self) -> list[Row]:
        """The rows since the last call."""
        rows, self._rows = self._rows, []
        return rows


def _sequence(part: Attributes) -> int:
    try:
        return int(part.get("seq", "0"))
    except ValueError:
        return 0
