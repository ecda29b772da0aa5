"""What the command line calls the options that sentences name."""

from __future__ import annotations

from sluice.backfill.run.facts import Option
from sluice.tasks.errors import SluiceError

OPTIONS = {
    Option.FORMAT: "--format",
    Option.TEXT_COLUMN: "--text-column",
    Option.SENDER_COLUMN: "--sender-column",
    Option.TIME_COLUMN: "--time-column",
    Option.ENCODING: "--encoding",
    Option.DELIMITER: "--delimiter",
    Option.DATE_ORDER: "--date-order",
    Option.OUTPUT: "-o",
    Option.RESTART: "--restart",
}


def words(fact: object) -> str:
    """One fact of a sentence, on the command line."""
    return OPTIONS[fact] if isinstance(fact, Option) else str(fact)


def said(error: SluiceError) -> str:
    """The message of an error, for the one who runs the command."""
    return error.sentence.said(words) if error.sentence.facts else error.operator_message
