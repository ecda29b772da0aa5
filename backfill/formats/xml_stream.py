"""The elements of a backup in XML one after the other, and a way on behind what is broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol
from xml.parsers import expat

from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.xml_bytes import clean
from sluice.tasks.errors import DamagedArchive

#: What a message begins with. It stands in no text, where ``<`` is ``&lt;``.
_START = re.compile(rb"<(?:sms|mms)(?=[\s/>])")
#: Bytes of it that the end of a piece may cut off.
_CUT_BYTES = 8
#: The tag that a message begins with, if nothing is wrong with it.
_TAG = re.compile(rb"""<(?:sms|mms)(?:"[^"<]*"|'[^'<]*'|[^"'<>])*>""")
#: Stands before the message at which a new parser begins.
_ROOT = b"<smses>"
#: Faults of what does not end; expat tells them where it begins.
_NO_END = frozenset(
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
        expat.errors.XML_ERROR_NO_ELEMENTS,
    )
)
_TOKEN = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]
_JUNK = expat.errors.codes[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]


class UnendedMessage(Exception):
    """Raised by handlers where a message begins inside another element, whose end is missing; ``at`` says where."""

    def __init__(self, parser: expat.XMLParserType) -> None:
        super().__init__()
        self.index, self.line = parser.CurrentByteIndex, parser.CurrentLineNumber


class Handler(Protocol):
    """What elements are given to.

    Attributes:
        parser: set here, whenever another one begins.
        in_mms: an ``mms`` has begun whose row is to be made at its end.
    """

    parser: expat.XMLParserType

    @property
    def in_mms(self) -> bool: ...
    def start(self, tag: str, attributes: dict[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def resumed(self) -> None:
        """What comes next is in the root element again."""


class ElementStream:
    """Runs a file through ``handler``.

    Args:
        max_bytes: longest element; what is longer counts as broken.
        chunk_bytes: what is read at once.

    Attributes:
        damaged: messages that could not be read, each of which is one problem.
        fault: the first problem, or what was left out first; None if there is none.
    """

    def __init__(
        self, input_file: InputFile, handler: Handler, notes: list[str], max_bytes: int, chunk_bytes: int
    ) -> None:
        self._input_file = input_file
        self._handler = handler
        self._notes = notes
        self._max_bytes = max_bytes
        self._chunk_bytes = chunk_bytes
        self._pending = bytearray()
        self._held = bytearray()  # what the parser has got since its last event
        self._at = 0  # where that begins, as the parser counts
        self._line = 1  # of the file, on which the parser began
        self._over = False
        self._left_out = self._first_left_out = 0
        self.damaged = 0
        self.fault: str | None = None
        self._parser: expat.XMLParserType | None = self._new_parser()
        self._listen()

    def run(self) -> Iterator[str | None]:
        """The problems, each in its place; and None now and then, after which more may have been handled."""
        with self._input_file.open() as stream:
            head = stream.read(self._chunk_bytes)
            for data in clean(self._input_file.name, head, stream.read, self._chunk_bytes, self._notes):
                self._pending += data
                yield from self._feed(final=False)
                yield None
        yield from self._feed(final=True)
        yield None
        if self._left_out:
            places = "1 place" if self._left_out == 1 else f"{self._left_out:,} places, first"
            self._notes.append(
                f"broken XML between its messages is left out, in {places} at line {self._first_left_out}"
            )

    def _feed(self, *, final: bool) -> Iterator[str]:
        while self._parser is not None or self._seek():
            assert self._parser is not None
            if not final and self._waits():
                return
            data = bytes(self._pending)
            self._pending.clear()
            self._held += data
            try:
                self._parser.Parse(data, final)
            except expat.ExpatError as exc:
                yield from self._broken(exc, self._parser.ErrorByteIndex)
            except UnendedMessage as unended:
                yield from self._unended(unended)
            else:
                self._forget_events(self._parser)
                if len(self._held) <= self._max_bytes:
                    return
                yield self._too_long(self._parser)

    def _waits(self) -> bool:
        """For more of a long element, which the parser begins anew with every call."""
        incomplete = len(self._held)
        return incomplete + len(self._pending) <= self._max_bytes and len(self._pending) < incomplete

    def _forget_events(self, parser: expat.XMLParserType) -> None:
        done = parser.CurrentByteIndex - self._at
        if done > 0:
            del self._held[:done]
            self._at += done

    def _broken(self, exc: expat.ExpatError, index: int) -> Iterator[str]:
        reason = expat.ErrorString(exc.code)
        line = self._line + exc.lineno - 1
        at = min(max(0, index - self._at), len(self._held))
        no_end = exc.code in _NO_END
        # Faults of whole tags and of what has no end are told where it begins; others where they are, which may be
        # where the next message begins.
        begins = no_end or exc.code != _TOKEN
        after = at + begins
        self._over = self._over or exc.code == _JUNK
        if no_end and _START.search(self._held, after) is None:
            self._go_on(len(self._held), line)
            if not self._ended(exc.code):
                yield self._told(f"the XML ends in the middle, at line {line} ({reason})")
            return
        lost = int(self._handler.in_mms) + self._tag_is_broken(at, begins)
        self.damaged += lost
        for _ in range(lost):
            yield self._told(f"the XML is broken at line {line} ({reason}): this message could not be read")
        if not lost:
            self._left_out += 1
            self._told(f"the XML is broken at line {line} ({reason})")
            self._first_left_out = self._first_left_out or line
        self._go_on(after, line)

    def _ended(self, code: int) -> bool:
        """Whether nothing is missing though the root that stands before a later message has no end."""
        return self._over and code == expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]

    def _tag_is_broken(self, at: int, begins: bool) -> bool:
        """Whether the tag that begins a message is what is broken at ``at`` of what is held, or ``begins`` there."""
        if begins and _START.match(self._held, at):
            return True
        last = max((found.start() for found in _START.finditer(self._held, 0, at)), default=None)
        if last is None:
            return False
        tag = _TAG.match(self._held, last)
        return tag is None or tag.end() > at

    def _unended(self, unended: UnendedMessage) -> Iterator[str]:
        line = self._line + unended.line - 1
        if self._handler.in_mms:
            self.damaged += 1
            yield self._told(f"the XML is broken before line {line} (no end tag): this message could not be read")
        self._go_on(unended.index - self._at, line)

    def _too_long(self, parser: expat.XMLParserType) -> str:
        line = self._line + parser.CurrentLineNumber - 1
        self.damaged += 1
        self._go_on(1, line)
        return self._told(f"the XML is broken at line {line} (an element has more than {self._max_bytes:,} bytes)")

    def _told(self, fault: str) -> str:
        self.fault = self.fault or fault
        return fault

    def _go_on(self, at: int, line: int) -> None:
        """With another parser, at the next message from ``at`` of what is held."""
        self._pending[:0] = self._held[at:]
        self._held.clear()
        self._parser = None
        self._line = line

    def _seek(self) -> bool:
        """Whether there is another message in what is pending; what stands before it is dropped."""
        found = _START.search(self._pending)
        drop = found.start() if found else max(0, len(self._pending) - _CUT_BYTES)
        self._line += self._pending.count(b"\n", 0, drop)
        del self._pending[:drop]
        if found:
            self._parser = self._new_parser()
            self._parser.Parse(_ROOT, False)
            self._at = len(_ROOT)
            self._listen()
            self._handler.resumed()
        return found is not None

    def _new_parser(self) -> expat.XMLParserType:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        self._handler.parser = parser
        return parser

    def _listen(self) -> None:
        parser, handler, name = self._handler.parser, self._handler, self._input_file.name

        def refuse(*_: object) -> None:
            raise DamagedArchive(f"{name} declares XML entities, which no backup does: it is not read")

        def doctype(_: str, system: str | None, public: str | None, __: bool) -> None:
            if system is not None or public is not None:  # its entities would be left out of texts without a word
                refuse()

        parser.StartElementHandler = handler.start
        parser.EndElementHandler = handler.end
        parser.EntityDeclHandler = refuse
        parser.StartDoctypeDeclHandler = doctype
