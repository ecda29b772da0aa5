"""The format of an input, told by its content; its name says nothing here."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import orjson

from sluice.backfill.formats import fossify, sms_ie
from sluice.backfill.formats.delimited import match_of
from sluice.backfill.formats.encoding import SAMPLE_BYTES, decoded, encoding_of
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.json_array import begin_of
from sluice.backfill.formats.jsonl import parsed_leniently
from sluice.backfill.formats.names import NAME_WORDS
from sluice.backfill.formats.registry import FORMATS
from sluice.backfill.formats.text import is_plain
from sluice.backfill.formats.whatsapp import form_of
from sluice.backfill.run.read_options import ReadOptions
from sluice.tasks.errors import DamagedArchive, UnknownFormat, UnreadableArchive

#: Lines that are looked at.
LINES = 20
#: Least share of rows that fit a header with unknown names, for a text to be CSV.
MIN_SHARE = 0.8
#: First bytes that are no archive of messages, for the error to name; some at an offset.
_KINDS = (
    (0, b"PK", "a ZIP file inside another packed file"),
    (0, b"\x1f\x8b", "gzip data that is packed more often than is undone"),
    (0, b"\xfd7zXZ\0", "xz data"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip file"),
    (0, b"Rar!", "a RAR file"),
    (257, b"ustar", "a tar file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"GIF8", "a GIF picture"),
    (4, b"ftyp", "a video or a picture of a telephone"),
    (0, b"\xd0\xcf\x11\xe0", "an old Office document"),
    (0, b"FEA1", "Feather, version 1"),
    (0, b"Obj\x01", "Avro"),
    (0, b"ORC", "ORC"),
    (0, b"\x7fELF", "a program"),
)
_ELEMENT = re.compile(r"<([A-Za-z_][\w:.-]*)")
_BACKUP = re.compile(r"(?:<\?xml[^>]*\?>\s*)?<smses[\s>]")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
#: What may stand before a text without being part of it.
BLANKS = "\ufeff\u200b\u200e\u200f\u00a0 \t\r\n\v\f\x00"
#: Formats that are no text, and what ``_binary`` says of them.
BINARY = {"parquet": "parquet", "arrow": "arrow", "sqlite": "sqlite", "imessage": "sqlite"}


def detect(input_file: InputFile, options: ReadOptions | None = None, *, plain: bool = False) -> str:
    """The format of ``input_file``, one of ``FORMATS``.

    Args:
        plain: it may be plain text, which nothing in it says: then it is, if it is nothing else.

    Raises:
        UnreadableArchive: it is none of them; the message says what it looks like.
    """
    options = options or ReadOptions()
    sample = _sample(input_file)
    found = _recognised(input_file, sample, options)
    if plain and (found is None or _may_be_plain(found, sample, options)):
        found = "text" if is_plain(sample, options) else found
    if not sample:
        raise UnreadableArchive(f"{input_file.name} is empty")
    if found is None:
        raise UnknownFormat(
            f"the format of {input_file.name} is not recognised: it {_looks_like(sample)}."
            f" If it is one of {', '.join(FORMATS)} nevertheless, say so with --format"
        )
    return found


def recognise(input_file: InputFile, options: ReadOptions | None = None) -> str | None:
    """As ``detect``, but None if it is none of them, or not of the one that the options name."""
    options = options or ReadOptions()
    sample = _sample(input_file)
    wanted = options.format
    if wanted is None:
        return _recognised(input_file, sample, options)
    binary = _binary(sample)
    if wanted in BINARY:
        return wanted if binary == BINARY[wanted] else None
    return wanted if binary is None and _text_of(sample, options) else None


def plain_text(input_file: InputFile, options: ReadOptions) -> str | None:
    """``text`` if it is plain text and nothing else."""
    return "text" if is_plain(_sample(input_file), options) else None


def _sample(input_file: InputFile) -> bytes:
    with input_file.open() as stream:
        return stream.read(SAMPLE_BYTES)


def _recognised(input_file: InputFile, sample: bytes, options: ReadOptions) -> str | None:
    binary = _binary(sample)
    if binary is not None:
        return _database(input_file) if binary == "sqlite" else binary
    head = _text_of(sample, options)
    if head is None:
        return None
    if head.startswith("<"):
        element = _ELEMENT.search(_COMMENT.sub("", head))
        return "backup-xml" if element is not None and element[1] in ("smses", "calls") else None
    if _is_json(head, complete=len(sample) < SAMPLE_BYTES):
        return "fossify" if fossify.is_export(head) else "sms-ie" if sms_ie.is_export_text(head) else "jsonl"
    if form_of(head) is not None:
        return "whatsapp"
    return "csv" if _is_delimited(sample, options) else None


def _text_of(sample: bytes, options: ReadOptions) -> str | None:
    """The text that it begins with, without marks and blanks before; None if it is no text."""
    if any(sample[at:].startswith(magic) for at, magic, _ in _KINDS):
        return None
    head = decoded(sample, encoding_of(sample, options.encoding)).lstrip(BLANKS)
    # A file system that lost power leaves zeros, also in the midst of a backup.
    return None if _has_controls(head[:4096]) and not _BACKUP.match(head) else head


def _binary(sample: bytes) -> str | None:
    if sample.startswith(b"PAR1"):
        return "parquet"
    if sample.startswith(b"ARROW1") or _is_arrow_stream(sample):
        return "arrow"
    if sample.startswith(b"SQLite format 3\0"):
        return "sqlite"
    return None


def _is_arrow_stream(sample: bytes) -> bool:
    """A continuation mark, then the length of a message, in whole words of eight bytes."""
    length = int.from_bytes(sample[4:8], "little")
    return sample.startswith(b"\xff\xff\xff\xff") and 0 < length < 1 << 24 and length % 8 == 0


def _database(input_file: InputFile) -> str:
    path = Path(input_file.local_path()).absolute()
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'message'")
            return "imessage" if found.fetchone() else "sqlite"
    except sqlite3.Error as exc:
        raise DamagedArchive(f"{input_file.name} is a damaged SQLite database ({exc})") from exc


def _has_controls(text: str) -> bool:
    """Whether it holds what no text holds; a few stray ones are let through."""
    controls = sum(char < " " and char not in "\t\r\n\f\x1a" for char in text)
    return controls > len(text) // 100 + 1


def _is_json(head: str, complete: bool) -> bool:
    if head.startswith("["):
        return re.match(r"\[\s*(\{\s*[\"}]|\])", head) is not None
    if not head.startswith("{"):
        return False
    if begin_of(head) is not None:
        return True
    lines = [line for line in head.split("\n") if line.strip()]  # texts may hold what else ends a line
    whole = lines if complete else lines[:-1]
    if not whole:
        return re.match(r'\{\s*"', head) is not None
    good = sum(_is_object(line) for line in whole[:LINES])
    return 2 * good >= len(whole[:LINES])


def _is_object(line: str) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return isinstance(parsed_leniently(line), dict)


def _may_be_plain(found: str, sample: bytes, options: ReadOptions) -> bool:
    """Whether a table is one only because of a comma in each line of few: its first line is no header."""
    if found != "csv":
        return False
    match = match_of(sample, len(sample) < SAMPLE_BYTES, options)[1]
    return match is not None and not match.known and any(len(name.split()) > NAME_WORDS for name in match.header)


def _is_delimited(sample: bytes, options: ReadOptions) -> bool:
    match = match_of(sample, len(sample) < SAMPLE_BYTES, options)[1]
    return match is not None and (match.known or (len(match.header) > 1 and match.share >= MIN_SHARE))


def _looks_like(sample: bytes) -> str:
    for at, magic, kind in _KINDS:
        if sample[at:].startswith(magic):
            return f"looks like {kind}"
    if sample.lstrip().startswith(b"<"):
        return "is XML or HTML, but no backup of messages"
    if sample.lstrip().startswith((b"{", b"[")):
        return "looks like JSON, but not like one object a line"
    if _has_controls(sample[:4096].decode("latin-1")):
        return f"is binary, and begins with the bytes {sample[:8].hex(' ')}"
    return "is text, but neither a table with a header nor a chat (with a message a line it is `--format text`)"
