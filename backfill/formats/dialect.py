"""The dialect of a delimited file: what separates fields and what quotes them, found from its first lines."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

from sluice.backfill.run.facts import Option
from sluice.tasks.errors import UnreadableArchive
from sluice.tasks.sentence import Sentence

DELIMITERS = (",", "\t", ";", "|")
#: How files are quoted: by ``"``, by ``'``, not at all.
QUOTES = ('"', "'", None)
#: Rows that are looked at.
SAMPLE_ROWS = 1_000
#: Rows that a header is compared with.
FIRST_ROWS = 200
#: Most lines of a row that the end of the sample cuts off.
MAX_CUT_LINES = 50
_ESCAPE = re.compile(r'\\(["\\])')
#: As spreadsheets and scripts write it: in quotes, behind blank lines, padded with delimiters to the table's width,
#: with names for tabs. ``Export-Csv`` of Windows PowerShell writes the type of its objects there.
_SAID = re.compile(
    r"""[\s\ufeff]*?(?:\#TYPE\ [^\r\n]*"""
    r"""|(?P<open>["']?)sep\ ?=\ ?(?P<in>["']?)(?P<sep>\\t|tab|[^\w\s"']|\t|\ )(?P=in)(?P=open)"""
    r"""[,;|\t]*[ ]*)(?:\r*\n|\r)""",
    re.IGNORECASE,
)
_LINE_END = re.compile(r"\r*\n|\r")
_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
_NAMES = {";": "semicolons", "|": "vertical bars"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to split lines into fields.

    Attributes:
        quote: None where quotes are characters like any other.
        spaced: a space follows each delimiter and belongs to no field.
        escaped: within quotes, a quote has a backslash before it.
        said: so many lines at the top are no rows, for the last of them is ``sep=`` and the delimiter, as spreadsheets
            write it, or ``#TYPE``.
    """

    delimiter: str = ","
    quote: str | None = '"'
    spaced: bool = False
    escaped: bool = False
    said: int = 0

    def arguments(self) -> dict[str, Any]:
        """What ``csv.reader`` takes."""
        quoting = {"quoting": csv.QUOTE_NONE} if self.quote is None else {"quotechar": self.quote}
        return {"delimiter": self.delimiter, "skipinitialspace": self.spaced, **quoting}

    def doubled(self, line: str) -> str:
        """A line with quotes doubled where it has backslashes before them; ``csv`` would take every backslash away."""
        return _ESCAPE.sub(_doubled, line) if self.escaped else line

    def note(self) -> str | None:
        """A sentence where it is not what CSV or TSV mostly is."""
        parts = [] if self.delimiter in ",\t" else [f"separated by {_NAMES.get(self.delimiter, repr(self.delimiter))}"]
        if self.quote != '"':
            parts.append("not quoted" if self.quote is None else f"quoted by {self.quote}")
        if self.escaped:
            parts.append("quoted with backslashes before quotes inside")
        return f"its fields are {' and '.join(parts)}" if parts else None


@dataclass(frozen=True, slots=True)
class Match:
    """A dialect and how well a sample fits it.

    Attributes:
        header: the fields of its first row.
        known: one of them has a name that was looked for.
        share: of the rows, those with as many fields as the header.
        first: the rows behind it, up to ``FIRST_ROWS``.
    """

    dialect: Dialect
    header: list[str]
    known: bool
    share: float
    first: list[list[str]]

    @property
    def rank(self) -> tuple[bool, float]:
        """More is better. Every file has one column when split by what does not occur in it, so that counts half."""
        return self.known, self.share * (1.0 if len(self.header) > 1 else 0.5)


def delimiter_of(wanted: str) -> str:
    """The character that ``--delimiter`` names.

    Raises:
        UnreadableArchive: it names none.
    """
    delimiter = _WORDS.get(wanted.lower(), wanted)
    if len(delimiter) != 1 or delimiter in "\r\n\"'":
        raise UnreadableArchive(Sentence("{option} takes one character, or tab", option=Option.DELIMITER))
    return delimiter


def dialect_of(sample: str, complete: bool, names: Collection[str], delimiter: str | None = None) -> Match | None:
    """The dialect that fits ``sample`` best; None if nothing is in it.

    Args:
        sample: the first lines; ``complete`` if there are no more.
        names: lower-case names of which the header should hold one.
        delimiter: the only one to try.
    """
    best: Match | None = None
    said = _SAID.match(sample)
    lines = 0
    if said is not None:
        sample = sample[said.end() :]
        lines = len(_LINE_END.findall(said[0]))
        if said["sep"] is not None:
            delimiter = delimiter or _WORDS.get(said["sep"].lower(), said["sep"])
    for candidate in _candidates(sample, delimiter):
        match = _match(sample, complete, names, replace(candidate, said=lines))
        if match is not None and (best is None or match.rank > best.rank):
            best = match
    return best


def _candidates(sample: str, delimiter: str | None) -> Iterator[Dialect]:
    first = sample.lstrip("\r\n").partition("\n")[0]
    for quote in QUOTES:
        if quote is not None and quote not in sample and quote != '"':
            continue
        for character in (delimiter,) if delimiter else DELIMITERS:
            after = re.findall(re.escape(character) + "(.?)", first)
            spaced = bool(after) and set(after) == {" "}
            yield Dialect(character, quote, spaced)
            if quote == '"' and '\\"' in sample:
                yield Dialect(character, quote, spaced, escaped=True)


def _doubled(escape: re.Match[str]) -> str:
    return '""' if escape[1] == '"' else escape[1]


def _match(sample: str, complete: bool, names: Collection[str], dialect: Dialect) -> Match | None:
    header, *rows = _rows(sample, complete, dialect) or [[]]
    if not header:
        return None
    known = any(name.strip().lower() in names for name in header)
    share = sum(len(row) == len(header) for row in rows) / len(rows) if rows else 1.0
    return Match(dialect, header, known, share, rows[:FIRST_ROWS])


def _rows(sample: str, complete: bool, dialect: Dialect) -> list[list[str]]:
    """The first rows that are not blank; an empty list for one that breaks the rules of quoting."""
    reader = csv.reader(StringIO(dialect.doubled(sample), newline=""), strict=True, **dialect.arguments())
    rows: list[list[str]] = []
    height = 0
    while len(rows) < SAMPLE_ROWS:
        before = reader.line_num
        try:
            fields = next(reader)
        except StopIteration:
            # The last row may be cut off, but a quote that is open for so long was none.
            return rows if complete or height > MAX_CUT_LINES else rows[:-1]
        except csv.Error:
            rows.append([])
        else:
            rows += [fields] if fields else []
        height = reader.line_num - before
    return rows
