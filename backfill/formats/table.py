"""The formats that are read, a line each: what the command line, HTTP, the detection and the manual say follows it.

A new format is a module of this package (see ``base.FormatModule``), a line here, and its row in ``docs/backfill.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, auto


class Certainty(IntEnum):
    """How much a module's yes to a text is worth: who is surer is asked first."""

    MARKS = auto()
    """Only one program writes so."""
    SYNTAX = auto()
    """It can be parsed as such."""
    LIKELIHOOD = auto()
    """Its first lines fit."""
    NOTHING = auto()
    """Any text is one: asked only where plain text may be expected, if nobody else has said yes."""


class Family(Enum):
    TABLE = auto()
    """Its columns may have any names, and some tables hold no messages."""
    BACKUP = auto()
    """A program of its own has made it, of messages."""
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: what ``--format`` and the field ``format`` take.
        title: what people call it, as in the manual.
        module: of this package; loaded when an input may need it, for some load libraries.
        suffixes: what names of such files end in; they say what a file was, not what it is.
        certainty: of those that are text.
        signatures: its first bytes, of those that are no text.
        attachments: whether what was sent with its messages lies beside it, named in them, and so is no input.
    """

    name: str
    title: str
    module: str
    family: Family
    suffixes: tuple[str, ...]
    certainty: Certainty = Certainty.MARKS
    signatures: tuple[bytes, ...] = ()
    attachments: bool = False


_TABLE, _BACKUP = Family.TABLE, Family.BACKUP
_ARROW, _SQLITE = (b"ARROW1", b"\xff\xff\xff\xff"), (b"SQLite format 3\0",)
FORMATS = (
    Format("csv", "CSV, TSV and their like", "delimited", _TABLE, (".csv", ".tsv"), Certainty.LIKELIHOOD),
    Format("jsonl", "JSON lines", "jsonl", _TABLE, (".jsonl", ".ndjson", ".json"), Certainty.SYNTAX),
    Format("parquet", "Parquet", "parquet", _TABLE, (".parquet",), signatures=(b"PAR1",)),
    Format("arrow", "Arrow files, streams, Feather 2", "arrow", _TABLE, (".arrow", ".feather"), signatures=_ARROW),
    Format("backup-xml", "SMS Backup & Restore, XML", "backup_xml", _BACKUP, (".xml",)),
    Format("sms-ie", "SMS Import / Export, ZIP", "sms_ie", _BACKUP, (".zip", ".ndjson", ".json")),
    Format("fossify", "Fossify Messages, Simple SMS Messenger, JSON", "fossify", _BACKUP, (".json",)),
    Format("imessage", "iMessage, `chat.db`", "imessage", _BACKUP, (".db",), signatures=_SQLITE),
    Format("whatsapp", "WhatsApp, `_chat.txt`", "whatsapp", _BACKUP, (".txt", ".zip"), attachments=True),
    Format("sqlite", "SQLite of our own making", "sqlite", _TABLE, (".sqlite", ".sqlite3", ".db"), signatures=_SQLITE),
    Format("text", "plain text", "text", Family.TEXT, (".txt",), Certainty.NOTHING),
)
NAMES = tuple(one.name for one in FORMATS)
BY_NAME = {one.name: one for one in FORMATS}
#: What names of packed files end in, whatever is in them.
PACKED_SUFFIXES = (".gz", ".bz2", ".zst", ".zip")
#: Every ending of a file that is read.
SUFFIXES = tuple(dict.fromkeys((*(suffix for one in FORMATS for suffix in one.suffixes), *PACKED_SUFFIXES)))


def of_family(family: Family) -> frozenset[str]:
    """Names of the formats of a family."""
    return frozenset(one.name for one in FORMATS if one.family is family)
