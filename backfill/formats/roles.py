"""Which columns hold the text, the sender and the time."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.backfill.columns import Roles
from sluice.backfill.formats.base import SENDER_NAMES, TEXT_NAMES, TIME_NAMES, ReadOptions
from sluice.backfill.formats.names import listed
from sluice.tasks.errors import UnreadableArchive


def roles_of(origin: str, names: Sequence[str], options: ReadOptions) -> Roles:
    """The roles of the columns ``names`` of ``origin``: as the options say, else by the usual names.

    Raises:
        UnreadableArchive: no column holds texts, or one that the options name is not there.
    """
    by_name = {name.strip().lower(): name for name in reversed(names)}

    def usual(known: Sequence[str]) -> str | None:
        return next((by_name[name] for name in known if name in by_name), None)

    found = Roles(usual(TEXT_NAMES), usual(SENDER_NAMES), usual(TIME_NAMES))
    roles = roles_or(found, origin, names, options)
    if roles.text is None:
        raise UnreadableArchive(
            f"none of the columns of {origin} is called {', '.join(TEXT_NAMES)}:"
            f" name one of {listed(names)} with --text-column"
        )
    return roles


def roles_or(known: Roles, origin: str, names: Sequence[str], options: ReadOptions) -> Roles:
    """The format's own roles, ``known``, unless ``options`` names other columns of ``names``.

    Raises:
        UnreadableArchive: a column that ``options`` names is absent.
    """
    wanted = {"text": options.text_column, "sender": options.sender_column, "time": options.time_column}
    for role, name in wanted.items():
        if name is not None and name not in names:
            raise UnreadableArchive(
                f"{origin} has no column {name!r}; its columns are {listed(names)} (--{role}-column)"
            )
    return Roles(
        text=options.text_column or known.text,
        sender=options.sender_column or known.sender,
        time=options.time_column or known.time,
        people=known.people if options.sender_column is None else _holds_people(options.sender_column),
    )


def _holds_people(column: str) -> bool:
    """``contact_name``, ``name``: not what an SMS has for a sender, but what a phone's owner calls somebody."""
    return column.strip().lower().endswith("name")
