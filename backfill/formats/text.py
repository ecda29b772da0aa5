"""Plain text, a message a line."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sluice.backfill.formats.base import MAX_FIELD_CHARS, Finding
from sluice.backfill.formats.encoding import Encoding, whole
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.roles import roles_or
from sluice.backfill.formats.sample import Sample
from sluice.backfill.run.facts import Note
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Column, Roles
from sluice.backfill.table.row import Row

COLUMNS = ("text",)
#: Lines that are looked at for what is no message.
LINES = 200
#: First lines of files that are text but no messages, a line each: markup, JSON, cards, mail, keys, scripts, settings.
_OTHER = re.compile(
    r"""<[A-Za-z!?/] | \{\\rtf | [\[{]\s*["\[{\]}\r\n] | BEGIN[: ] | -----BEGIN | From\ \S+@ | \#! | %! | %YAML
    | ---\s*$ | (?:From|To|Subject|Date|Received|Return-Path|MIME-Version|Content-Type|Message-ID|Delivered-To):\s
    | \[[\w .-]+\]\s*$ | \[LINE\] | Conversation:\s | \#EXTM3U | WEBVTT | PK""",
    re.VERBOSE | re.MULTILINE,
)
#: Lines that begin with a date or a time: a log, or a chat in a form that is not known here.
_DATED = re.compile(
    r"\W{0,3}(?:\d{1,4}[./-]\s?\d{1,2}[./-]\s?\d{1,4}|\d{1,2}:\d{2}(?::\d{2})?"
    r"|\d{1,2}[.\s-]\s?(?:de\s)?[^\W\d_]{3,10}\.?(?:\sde)?[\s,-]+\d{2,4}|[^\W\d_]{3,10}\.?\s\d{1,2},?\s\d{4})\b"
)
#: What other programs put above or into each message of a chat: a name and a moment in brackets, a day in characters of
#: Chinese or Korean, a time and a tab.
_STAMPED = re.compile(
    r"[^\n\[]{0,80}\[[^\]\n]{0,12}\d{1,4}[./-]\d{1,2}[./-]\d{1,4}[^\]\n]{0,20}\]"
    r"|\[[^\]\n]{1,60}\] \[[^\]\n]{0,8}\d{1,2}:\d{2}"
    r"|\d{4}\s?[年년]\s?\d{1,2}\s?[月월]|(?:[^\W\d_]{1,4}\s?)?\d{1,2}:\d{2}(?:\s?[AaPp]\.?[Mm]\.?)?\t"
)
#: Rows of words in quotes with blanks between them, as R's ``write.table`` writes them.
_BLANK_SEPARATED = re.compile(r"""(?:"[^"\n]*"|[\w.+-]+)(?: (?:"[^"\n]*"|[\w.+-]+))+$""")
#: Of stamps that stand above messages, there are fewer than other lines.
SOME = 0.3
#: Share of the lines that begin so, or that have as many delimiters as the first one, for them to be no messages.
MOST = 0.8
#: So many delimiters in every line are a table.
TABLE_DELIMITERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFinding(Finding):
    """``newline`` is what ``open`` takes for its lines."""

    encoding: Encoding
    newline: str


def probe(sample: Sample) -> TextFinding | None:
    """It is text, and looks like nothing else."""
    return _lines_of(sample) if is_plain(sample) else None


def _lines_of(sample: Sample) -> TextFinding:
    return TextFinding(encoding=sample.encoding, newline="\n" if "\n" in sample.text else "")


def is_plain(sample: Sample) -> bool:
    """Whether a text that is nothing else may be one with a message a line, as far as its beginning tells."""
    text = sample.text.lstrip("\ufeff \t\r\n")
    if not text or "\0" in text or sum(char < " " and char not in "\t\r\n" for char in text[:4096]) > 1:
        return False
    if _OTHER.match(text):
        return False
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()][:LINES]
    if sum(_DATED.match(line) is not None for line in lines) >= MOST * len(lines):
        return False
    if sum(_STAMPED.match(line) is not None for line in lines) >= SOME * len(lines):
        return False
    if all('"' in line and _BLANK_SEPARATED.match(line) for line in lines):
        return False
    return not any(_is_table(lines, delimiter) for delimiter in "\t;|,")


def _is_table(lines: Sequence[str], delimiter: str) -> bool:
    count = lines[0].count(delimiter)
    least = 1 if delimiter == "\t" else TABLE_DELIMITERS
    return (
        len(lines) > 1 and count >= least and sum(line.count(delimiter) == count for line in lines) >= MOST * len(lines)
    )


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> TextReader:
    """The lines of a text; nothing is wrong with any text.

    Raises:
        UnreadableArchive: there is no such encoding, or no such column.
    """
    found = finding if isinstance(finding, TextFinding) else _lines_of(Sample.of(input_file, options))
    return TextReader(input_file, options, found)


class TextReader:
    """One row for every line that is not blank.

    Lines end in LF or CRLF, and a lone CR is a character of theirs; in files without any LF it ends them.
    """

    def __init__(self, input_file: InputFile, options: ReadOptions, finding: TextFinding) -> None:
        self._input_file = input_file
        self._encoding, self._newline = finding.encoding, finding.newline
        self._blank = 0
        self.columns: Sequence[Column] = [Column(name) for name in COLUMNS]
        self.roles: Roles = roles_or(Roles("text"), input_file.name, COLUMNS, options)

    @property
    def notes(self) -> list[Note]:
        """Complete after the last row."""
        found: list[Note] = ["read as plain text, a message a line"]
        if self._encoding.note:
            found.append(self._encoding.note)
        if self._blank:
            found.append(f"{self._blank:,} blank line{'s are' if self._blank > 1 else ' is'} left out")
        return found

    def rows(self) -> Iterator[Row]:
        rows = self._rows()
        return rows if self._encoding.is_utf8 else map(whole, rows)

    def close(self) -> None:
        """Nothing is open between two calls of ``rows``."""

    def _rows(self) -> Iterator[Row]:
        self._blank = 0
        with (
            self._input_file.open() as raw,
            io.TextIOWrapper(raw, self._encoding.name, self._encoding.errors, newline=self._newline) as text,
        ):
            number = 0
            while line := text.readline(MAX_FIELD_CHARS + 2):
                number += 1
                if len(line) > MAX_FIELD_CHARS and line[-1] not in "\r\n":
                    while (rest := text.readline(MAX_FIELD_CHARS)) and rest[-1] not in "\r\n":
                        pass
                    yield Row([None], None, f"line {number} is longer than {MAX_FIELD_CHARS:,} characters")
                    continue
                message = line.rstrip("\r\n")
                if number == 1:
                    message = message.removeprefix("\ufeff")
                if message.strip():
                    yield Row([message], message)
                else:
                    self._blank += 1
