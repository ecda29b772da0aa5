"""A file that was not asked for by name and cannot be read: no rows, and the damage that the source makes one of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sluice.backfill.table.columns import Column, Roles
from sluice.backfill.table.row import Row
from sluice.tasks.errors import UnreadableArchive


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """In place of its ``PackedFile``."""

    name: str
    size: int
    damage: UnreadableArchive
    position: int = 0


class EmptyReader:
    """A reader without columns and rows."""

    columns: Sequence[Column] = ()
    roles = Roles()

    def rows(self) -> Iterator[Row]:
        return iter(())

    def close(self) -> None:
        """Nothing is open."""
