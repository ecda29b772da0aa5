"""What lies beside an exported chat because it was sent in it: no input, whatever it holds."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sluice.backfill.formats.encoding import Encoding
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.registry import Detected
from sluice.backfill.formats.sample import Sample
from sluice.backfill.formats.table import FORMATS, Family, of_family
from sluice.backfill.run.read_options import ReadOptions

SMS_IE = "sms-ie"
#: The folder beside an archive of SMS Import / Export that holds the attachments of its messages.
SMS_IE_DATA = "data"
#: Formats of backups and of chats, which are made by programs of their own; anything else may have been sent.
BACKUPS = of_family(Family.BACKUP)
#: Those whose attachments lie beside them.
CHATS = frozenset(one.name for one in FORMATS if one.attachments)
#: How WhatsApp names what it exports: ``00000012-prices.csv`` on iOS, ``DOC-20260401-WA0003.csv`` on Android.
SENT = re.compile(r"\d{8}-.|.*-WA\d{4,}(\D|$)", re.IGNORECASE)
#: Characters of a chat that are looked through at once, and the longest name, which may lie across two pieces.
PIECE_CHARS, NAME_CHARS = 1 << 20, 1_024


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A file that the caller did not name: where it lies, and what it was recognised as.

    Attributes:
        path: within its folder or ZIP file, with slashes.
        detected: its format, ``zip``, or None if it is none that holds messages.
        input_file: what to read it from; None for a ZIP file.
    """

    path: str
    detected: Detected | None
    input_file: InputFile | None

    @property
    def kind(self) -> str | None:
        """The name of its format."""
        return None if self.detected is None else self.detected.name

    @property
    def folder(self) -> PurePosixPath:
        return PurePosixPath(self.path).parent

    @property
    def name(self) -> str:
        return _normal(PurePosixPath(self.path).name)


def attachments(found: Sequence[Neighbour], check: Callable[[], None], *, exported: bool) -> set[str]:
    """The paths of those that were sent in a chat beside or above them, or in the messages of SMS Import / Export.

    Args:
        check: called now and then while chats are read; may raise.
        exported: they are the members of one ZIP file, such as WhatsApp makes: what is beside the chat in it and no
            backup was sent. In a folder it is what the chat names, or what has a name that WhatsApp gives.
    """
    data = [one.folder / SMS_IE_DATA for one in found if one.kind == SMS_IE]
    sent = {one.path for one in found if one.kind is not None and any(map(one.folder.is_relative_to, data))}
    for chat in found:
        if chat.kind not in CHATS or chat.input_file is None or chat.path in sent:
            continue
        near = [one for one in found if _is_near(one, chat) and one.kind is not None and one.path not in sent]
        sent.update(one.path for one in near if one.kind not in BACKUPS and _is_sent(one, chat, exported))
        left = {one.name for one in near if one.path not in sent}
        named = names_in(chat.input_file, _encoding(chat, chat.input_file), left, check) if left else set()
        sent.update(one.path for one in near if one.name in named)
    return sent


def _is_near(one: Neighbour, chat: Neighbour) -> bool:
    return one is not chat and one.folder.is_relative_to(chat.folder)


def _is_sent(one: Neighbour, chat: Neighbour, exported: bool) -> bool:
    return SENT.match(one.name) is not None or (exported and one.folder == chat.folder)


def _encoding(chat: Neighbour, input_file: InputFile) -> Encoding:
    found = chat.detected.finding.encoding if chat.detected is not None else None
    return found or Sample.of(input_file, ReadOptions()).encoding


def names_in(input_file: InputFile, encoding: Encoding, names: Collection[str], check: Callable[[], None]) -> set[str]:
    """Those of ``names`` that stand in a text, as words of their own; its length is no matter for the memory."""
    left = {name: re.compile(rf"(?<![\w.-]){re.escape(name)}(?!\w)") for name in names if len(name) <= NAME_CHARS}
    found: set[str] = set()
    with input_file.open() as stream:
        decode = codecs.getincrementaldecoder(encoding.name)("replace").decode
        before = ""
        while left and (data := stream.read(PIECE_CHARS)):
            check()
            text = before + _normal(decode(data))
            here = {name for name, pattern in left.items() if name in text and pattern.search(text)}
            found |= here
            for name in here:
                del left[name]
            before = text[-NAME_CHARS - 1 :]
    return found


def _normal(text: str) -> str:
    """Composed, as phones write names; Macs take them apart."""
    return unicodedata.normalize("NFC", text)
