"""``messages.ndjson`` of SMS Import / Export, version 2: Android's columns; in a ZIP file, beside attachments.

Version 1 has the same messages in one array, ``messages-….json``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sluice.backfill.formats.base import Finding
from sluice.backfill.formats.encoding import SAMPLE_BYTES
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.jsonl import JsonFinding, Object, found_in, is_json, layout_of
from sluice.backfill.formats.keys import Keys
from sluice.backfill.formats.roles import roles_or
from sluice.backfill.formats.sample import Sample
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Column, Roles, unique
from sluice.backfill.table.row import Row
from sluice.tasks.errors import NoMessages

#: What every message gets; the columns of an MMS have neither text nor sender, so they come from what the app adds.
ALWAYS = ("address", "date", "body")
PARTS, SENDER = "__parts", "__sender_address"
#: Stands there for the phone's own number.
OWN_NUMBER = "insert-address-token"
NO_TEXT = "the message has no text"


#: What the app adds to Android's own columns, all of which begin so.
_OWN_KEYS = re.compile(r'"__(?:parts|display_name|sender_address|recipient_address(?:es)?)"\s*:')
#: One of Android's own, which an SMS and an MMS have.
_ANDROID_KEYS = re.compile(r'\{[^\n]*"(?:body|address|thread_id|msg_box)"\s*:')


def probe(sample: Sample) -> JsonFinding | None:
    """JSON with the keys that this app adds."""
    return layout_of(sample) if sample.once(is_json) and is_export_text(sample.head) else None


def is_export_text(head: str) -> bool:
    """Whether JSON lines that begin with ``head`` are of this app: only it adds such keys."""
    return _OWN_KEYS.search(head) is not None


def is_export(input_file: InputFile) -> bool:
    """Whether a file that is called ``messages.ndjson`` is what its name says."""
    with input_file.open() as stream:
        sample = stream.read(SAMPLE_BYTES)
    head = sample.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    return not head or is_export_text(head) or _ANDROID_KEYS.match(head) is not None


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> ExportReader:
    """A reader that has gone through the file once, for its keys; ``input_file`` gives ``messages.ndjson``.

    Raises:
        UnreadableArchive: it is damaged from the start, or has too many keys.
    """
    return ExportReader(input_file, options, layout(input_file, options, finding))


def layout(input_file: InputFile, options: ReadOptions, finding: Finding | None) -> JsonFinding:
    """How the file lies; its encoding is what its content says, for ``options`` speak of tables."""
    if isinstance(finding, JsonFinding) and options.encoding is None:
        return finding
    return layout_of(Sample.of(input_file, ReadOptions()))


class ExportReader:
    """One row for every SMS and MMS; the keys are the columns, and nested values stay as they are.

    An MMS has its text parts for a ``body``, a line each, and its sender for an ``address``.
    """

    def __init__(self, input_file: InputFile, options: ReadOptions, finding: JsonFinding) -> None:
        self._input_file = input_file
        self._finding = finding
        keys = Keys(input_file.name)
        messages = with_text = 0
        for found in self._objects():
            if not isinstance(found, str):
                keys.add(found)
                messages += 1
                with_text += isinstance(found.get("body"), str) or bool(self._texts(found))
        if not with_text and options.text_column is None:
            raise NoMessages(f"none of the {messages:,} messages in {input_file.name} has a text")
        self._keys = list(dict.fromkeys((*keys.names(), *ALWAYS)))
        names = unique(self._keys)
        self.columns: Sequence[Column] = [Column(name) for name in names]
        self.roles: Roles = roles_or(Roles("body", "address", "date"), input_file.name, names, options)
        assert self.roles.text is not None
        self._text = names.index(self.roles.text)

    def rows(self) -> Iterator[Row]:
        for found in self._objects():
            if isinstance(found, str):
                yield Row([None] * len(self.columns), None, found)
            else:
                yield self._row(found)

    def close(self) -> None:
        """Nothing is open between two calls of ``rows``."""

    def _objects(self) -> Iterator[Object | str]:
        yield from found_in(self._input_file, self._finding)

    def _texts(self, message: Object) -> list[str]:
        return text_parts(message.get(PARTS), "ct")

    def _sender(self, message: Object) -> str | None:
        return address_of(message.get(SENDER))

    def _row(self, message: Object) -> Row:
        if message.get("body") is None and (lines := self._texts(message)):
            message["body"] = "\n".join(lines)
        if message.get("address") is None:
            message["address"] = self._sender(message)
        values = [message.get(key) for key in self._keys]
        text = values[self._text]
        if text is None:
            return Row(values, None, NO_TEXT)
        if not isinstance(text, str):
            return Row(values, None, f"the text, {self.roles.text!r}, is no string")
        return Row(values, text)


def text_parts(parts: Any, kind: str) -> list[str]:
    """The texts of an MMS, which the app has in their order; ``kind`` is the key of a part's content type."""
    texts = (part.get("text") for part in dicts(parts) if str(part.get(kind)).startswith("text/plain"))
    return [text for text in texts if isinstance(text, str)]


def dicts(found: Any) -> list[Object]:
    """The objects of a list; none of what is no list."""
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def address_of(sender: Any) -> str | None:
    address = sender.get("address") if isinstance(sender, dict) else None
    return address if isinstance(address, str) and address != OWN_NUMBER else None
