"""Which columns hold the text, the sender and the time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from backfill.columns import Roles
from backfill.formats.base import SENDER_NAMES, TEXT_NAMES, TIME_NAMES, ReadOptions, choose
from tasks.errors import UnreadableArchive

#: Names that an error lists.
LISTED = 20
#: A longer name, in characters or words, may be the text of a message, in a file without a header: it is not shown.
NAME_CHARS = 40
NAME_WORDS = 3


def roles_of(origin: str, names: Sequence[str], options: ReadOptions) -> Roles:
    """The roles of the columns ``names`` of ``origin``: as the options say, else by the usual names.

    Raises:
        UnreadableArchive: no column holds texts, or one that the options name is not there.
    """
    text = _column(origin, names, options.text_column, TEXT_NAMES, "--text-column")
    if text is None:
        raise UnreadableArchive(
            f"none of the columns of {origin} is called {', '.join(TEXT_NAMES)}:"
            f" name one of {listed(names)} with --text-column"
        )
    return Roles(
        text,
        _column(origin, names, options.sender_column, SENDER_NAMES, "--sender-column"),
        _column(origin, names, options.time_column, TIME_NAMES, "--time-column"),
    )


def listed(names: Sequence[str]) -> str:
    """The names, for an error."""
    shown = (repr(name) if _is_name(name) else f"(column {at})" for at, name in enumerate(names, 1))
    return ", ".join(islice(shown, LISTED))


def _column(origin: str, names: Sequence[str], wanted: str | None, known: Sequence[str], option: str) -> str | None:
    column = choose(names, wanted, known)
    if column is None and wanted is not None:
        raise UnreadableArchive(f"{origin} has no column {wanted!r}; its columns are {listed(names)} ({option})")
    return column


def _is_name(name: str) -> bool:
    return len(name) <= NAME_CHARS and len(name.split()) <= NAME_WORDS
