"""The roles of columns in formats that name their columns themselves."""

from __future__ import annotations

from collections.abc import Sequence

from backfill.columns import Roles
from backfill.formats.base import ReadOptions
from backfill.formats.choosing import listed
from tasks.errors import UnreadableArchive


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
    )
