"""The ZIP of SMS Import / Export, version 2: ``messages.ndjson`` with Android's columns, and attachments."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast
from zipfile import BadZipFile, ZipFile, ZipInfo

import orjson

from backfill.columns import Column, Roles, unique
from backfill.formats.base import MAX_FIELD_CHARS, ReadOptions
from backfill.formats.keys import Keys
from backfill.formats.roles import roles_or
from backfill.inputs.guarded import DAMAGE, Guarded, damaged
from backfill.inputs.origin import Origin
from backfill.row import Row
from tasks.errors import UnreadableArchive

MEMBER = "messages.ndjson"
#: What every message gets; the columns of an MMS have neither text nor sender, so they come from what the app adds.
ALWAYS = ("address", "date", "body")
PARTS, SENDER = "__parts", "__sender_address"
#: Stands there for the phone's own number.
OWN_NUMBER = "insert-address-token"
NO_TEXT = "the message has no text"

Message = dict[str, Any]


def open_reader(origin: Origin, options: ReadOptions) -> ExportReader:
    """A reader of the messages in the ZIP file that ``origin`` is.

    Raises:
        UnreadableArchive: it is no ZIP file, encrypted or damaged, or holds no ``messages.ndjson``.
    """
    return ExportReader(origin, options)


class ExportReader:
    """One row for every SMS and MMS; the keys are the columns, and nested values stay as they are.

    An MMS has its text parts for a ``body``, a line each, and its sender for an ``address``.
    """

    def __init__(self, origin: Origin, options: ReadOptions) -> None:
        self._origin = origin
        try:
            self._zip = ZipFile(origin.file())
        except (BadZipFile, OSError) as exc:
            raise UnreadableArchive(f"{origin.name} is no ZIP file, or is damaged ({exc})") from exc
        try:
            self._member = self._find()
            keys = Keys(origin.name)
            for found in self._objects(None):
                if not isinstance(found, str):
                    keys.add(found)
            self._keys = list(dict.fromkeys((*keys.names(), *ALWAYS)))
            names = unique(self._keys)
            self.columns: Sequence[Column] = [Column(name) for name in names]
            self.roles: Roles = roles_or(Roles("body", "address", "date"), origin.name, names, options)
        except BaseException:
            self._zip.close()
            raise
        assert self.roles.text is not None
        self._text = names.index(self.roles.text)

    def rows(self) -> Iterator[Row]:
        for found in self._objects(self._origin.report):
            if isinstance(found, str):
                yield Row([None] * len(self.columns), None, found)
            else:
                yield self._row(found)

    def close(self) -> None:
        self._zip.close()

    def _row(self, message: Message) -> Row:
        if message.get("body") is None and (lines := _text_parts(message.get(PARTS))):
            message["body"] = "\n".join(lines)
        if message.get("address") is None:
            message["address"] = _sender(message.get(SENDER))
        values = [message.get(key) for key in self._keys]
        text = values[self._text]
        if text is None:
            return Row(values, None, NO_TEXT)
        if not isinstance(text, str):
            return Row(values, None, f"the text, {self.roles.text!r}, is no string")
        return Row(values, text)

    def _find(self) -> ZipInfo:
        for member in self._zip.infolist():
            if PurePosixPath(member.filename).name == MEMBER:
                return member
        raise UnreadableArchive(f"{self._origin.name} holds no {MEMBER}: it is no ZIP of SMS Import / Export")

    def _objects(self, report: Callable[[float], None] | None) -> Iterator[Message | str]:
        """Every message, or the problem of the line that holds none."""
        size = max(1, self._member.file_size)
        number = 0
        damages: list[UnreadableArchive] = []

        def passed(count: int) -> None:
            if report is not None:
                report(min(1.0, count / size))

        with self._open(passed, damages.append) as stream:
            while line := stream.readline(MAX_FIELD_CHARS + 1):
                number += 1
                if len(line) > MAX_FIELD_CHARS:
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(MAX_FIELD_CHARS)
                    yield f"line {number} is longer than {MAX_FIELD_CHARS:,} bytes"
                elif line.strip():
                    yield _parsed(line) or f"line {number} is no valid JSON object"
            if damages:
                yield damages[0].message

    def _open(self, passed: Callable[[int], None], broken: Callable[[UnreadableArchive], None]) -> BinaryIO:
        name = f"{self._origin.name}!{self._member.filename}"
        try:
            stream = cast("BinaryIO", self._zip.open(self._member))
        except DAMAGE as exc:
            raise damaged(name, exc, 0) from exc
        return cast("BinaryIO", io.BufferedReader(Guarded(name, [stream], passed, broken), 1 << 16))


def _parsed(line: bytes) -> Message | None:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _text_parts(parts: Any) -> list[str]:
    """The texts of an MMS, which the app has in their order."""
    found = (part for part in parts if isinstance(part, dict)) if isinstance(parts, list) else ()
    texts = (part.get("text") for part in found if str(part.get("ct")).startswith("text/plain"))
    return [text for text in texts if isinstance(text, str)]


def _sender(sender: Any) -> str | None:
    address = sender.get("address") if isinstance(sender, dict) else None
    return address if isinstance(address, str) and address != OWN_NUMBER else None
