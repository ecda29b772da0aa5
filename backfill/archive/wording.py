"""What HTTP calls the options that sentences name, and what it shows of what they quote: no text of any message."""

from __future__ import annotations

import re

from sluice.backfill.run.facts import Names, Note, Option, Quoted, Reason
from sluice.backfill.table.names import listed
from sluice.tasks.errors import SluiceError
from sluice.tasks.sentence import Sentence

MAX_MESSAGE_CHARS = 500
#: What of a file is shown: the first line of one without a header holds a text.
SHOWN = re.compile(r"[^\W\d][\w.-]{0,39}")
HIDDEN = "'…'"
#: Where a library begins to quote.
QUOTES = (" '", ' "', "('", '("')
#: The fields of the form that an error may be about.
FIELDS = frozenset(
    {
        Option.TEXT_COLUMN,
        Option.SENDER_COLUMN,
        Option.TIME_COLUMN,
        Option.ENCODING,
        Option.DELIMITER,
        Option.DATE_ORDER,
    }
)


def words(fact: object) -> str:
    """One fact of a sentence: fields for options, nothing quoted that may be a text."""
    if isinstance(fact, Option):
        return fact.value
    if isinstance(fact, Quoted):
        return _quoted(fact.value)
    if isinstance(fact, Names):
        return listed(fact, _quoted) or str(fact)
    if isinstance(fact, Reason):
        return _unquoted(fact)
    return str(fact)


def said(note: Note) -> str:
    """A sentence, no longer than an answer has room for."""
    sentence = note.said(words) if isinstance(note, Sentence) else note
    return sentence if len(sentence) <= MAX_MESSAGE_CHARS else f"{sentence[: MAX_MESSAGE_CHARS - 1]}…"


def field_of(error: SluiceError) -> str:
    """The field that an error is about."""
    named = (fact for fact in error.sentence.facts.values() if isinstance(fact, Option) and fact in FIELDS)
    return next((option.value for option in named), "file")


def _quoted(value: object) -> str:
    return repr(value) if isinstance(value, str) and SHOWN.fullmatch(value) else HIDDEN


def _unquoted(reason: str) -> str:
    at = min((found for mark in QUOTES if (found := reason.find(mark)) >= 0), default=None)
    return reason if at is None else f"{reason[:at]} …"
