"""JSON of Fossify Messages and Simple SMS Messenger: an array of SMS and MMS, in old versions of conversations."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sluice.backfill.formats.base import Finding
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.jsonl import JsonFinding, Object, found_in, is_json, layout_of
from sluice.backfill.formats.sample import Sample
from sluice.backfill.formats.sms_ie import ExportReader, address_of, dicts, layout, text_parts
from sluice.backfill.run.read_options import ReadOptions

#: The key that says what a message is, and the keys of an old conversation.
KIND, KINDS = "backupType", ("sms", "mms")
#: The sender among the addresses of an MMS.
FROM = "137"
_NEW = re.compile(r'"backupType"\s*:\s*"(?:sms|mms)"')
_OLD = re.compile(r'[\[{]?\s*\{?\s*"(?:sms|mms)"\s*:\s*\[')
#: What a message has whose ``backupType`` comes too late to be seen, behind a picture of megabytes.
_PICTURE = re.compile(r'"contentDisposition"\s*:|"contentLocation"\s*:')


def probe(sample: Sample) -> JsonFinding | None:
    """JSON with the keys of these apps."""
    return layout_of(sample) if sample.once(is_json) and is_export(sample.head) else None


def is_export(head: str) -> bool:
    """Whether JSON that begins with ``head`` is of these apps."""
    return _OLD.match(head) is not None or _NEW.search(head) is not None or _PICTURE.search(head) is not None


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> FossifyReader:
    """A reader that has gone through the file once, for its keys.

    Raises:
        NoMessages: there is no object in it.
        UnreadableArchive: it is damaged, or too large.
    """
    return FossifyReader(input_file, options, layout(input_file, options, finding))


class FossifyReader(ExportReader):
    """One row for every SMS and MMS, as ``ExportReader``; ``backupType`` says which of them it is."""

    def _objects(self) -> Iterator[Object | str]:
        for found in found_in(self._input_file, self._finding):
            if isinstance(found, str) or not _is_conversation(found):
                yield found
                continue
            for kind in KINDS:
                for number, message in enumerate(found.get(kind) or (), 1):
                    ours = isinstance(message, dict)
                    yield (
                        {**message, KIND: kind} if ours else f"the {kind} {number} of a conversation is no JSON object"
                    )

    def _texts(self, message: Object) -> list[str]:
        return text_parts(message.get("parts"), "contentType")

    def _sender(self, message: Object) -> str | None:
        senders = (one for one in dicts(message.get("addresses")) if str(one.get("type")) == FROM)
        return next((address for one in senders if (address := address_of(one)) is not None), None)


def _is_conversation(found: Object) -> bool:
    lists = [found[kind] for kind in KINDS if kind in found]
    return bool(lists) and all(one is None or isinstance(one, list) for one in lists)
