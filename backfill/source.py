"""All inputs of a backfill as one table of rows."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sluice.backfill.formats.base import Reader
from sluice.backfill.inputs.open_inputs import OpenInput, open_inputs
from sluice.backfill.run.facts import Names, Note
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.stop import Stop
from sluice.backfill.table.columns import Column, Roles
from sluice.backfill.table.row import Row
from sluice.backfill.table.widening import Convert, conversion, gets_zone, wider
from sluice.tasks.errors import UnreadableArchive
from sluice.tasks.sentence import Sentence

CHUNK_BYTES = 1 << 20


@dataclass(slots=True)
class Part:
    """One input in the table: ``layout`` gives, per column of the table, the column of the input (None: it has none).

    A ``layout`` of None says that they are the same. ``converted`` are columns of the input whose values become those
    of a wider type.
    """

    open_input: OpenInput
    layout: list[int | None] | None
    converted: list[tuple[int, Convert]]

    def rows(self) -> Iterator[Row]:
        rows = self.open_input.reader.rows()
        if self.converted:
            rows = map(self._widened, rows)
        return rows if self.layout is None else map(self._laid_out, rows)

    def _widened(self, row: Row) -> Row:
        values = row.values = list(row.values)
        for at, convert in self.converted:
            if values[at] is not None:
                values[at] = convert(values[at])
        return row

    def _laid_out(self, row: Row) -> Row:
        values = row.values
        row.values = [None if at is None else values[at] for at in self.layout or ()]
        return row


def open_source(plan: Plan, stop: Stop) -> Source:
    """Find, survey and fingerprint all inputs of ``plan``.

    Raises:
        UnreadableArchive: an input is absent, damaged, of no known format, or has no column of texts.
        UnwritableOutput: standard input or what must be unpacked cannot be kept in the run's folder.
        Stopped: a stop was asked for meanwhile.
    """
    return Source(plan, stop)


class Source:
    """The rows of all inputs, one after the other.

    Attributes:
        columns: of all inputs, in order of first appearance; a column whose type differs between inputs has the
            wider one, or is text.
        roles: the columns of the texts, senders and times; of the first input that has such a one. Senders are people
            if they are so in any input.
        elsewhere: the columns that have these roles in other inputs, by role.
        size: bytes on disk of what is read, the unit of ``position``.
        fingerprint: ``{"name", "size", "sha256"}`` of each file, packed as it is.
        format: names of the formats, for a summary.
    """

    def __init__(self, plan: Plan, stop: Stop) -> None:
        self._check = stop.check
        self._inputs = open_inputs(plan, stop)
        try:
            opened = self._inputs.opened
            self.columns = _union([open_input.reader for open_input in opened])
            self.roles = _roles([open_input.reader.roles for open_input in opened])
            self.elsewhere = _elsewhere(self.roles, [open_input.reader.roles for open_input in opened])
            types = {column.name: column.type for column in self.columns}
            self._parts = [
                Part(open_input, _layout(open_input.reader, self.columns), _converted(open_input.reader, types))
                for open_input in opened
            ]
            self._unzoned = _unzoned([open_input.reader for open_input in opened], types)
            self.size = sum(open_input.input_file.size for open_input in opened)
            self.format = ", ".join(dict.fromkeys(open_input.format for open_input in opened if open_input.format))
            self.fingerprint = [
                {"name": file.name, "size": file.size, "sha256": _sha256(file.path, file.name, stop.check)}
                for file in self._inputs.files
            ]
        except BaseException:
            self._inputs.close()
            raise
        self._done = 0
        self._current: OpenInput | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def position(self) -> int:
        """How far, of ``size``, the rows have been read."""
        current = 0 if self._current is None else min(self._current.input_file.position, self._current.input_file.size)
        return self._done + current

    @property
    def notes(self) -> list[Note]:
        """Sentences about the inputs that the reader of a report should know; complete after the last row."""
        notes = list(self._inputs.notes)
        if self._unzoned:
            notes.append(
                Sentence(
                    "times without a zone are read as UTC, for other inputs have zones: {columns}",
                    columns=Names(self._unzoned),
                )
            )
        for open_input in self._inputs.opened:
            notes += [
                Sentence("{file}: {note}", file=open_input.input_file.name, note=note)
                for note in getattr(open_input.reader, "notes", ())
            ]
        return notes

    def rows(self) -> Iterator[Row]:
        """Every row from the first one; may be called again when it has ended.

        What a damaged input still holds is followed by one row that says what is missing.
        """
        self._done = 0
        for part in self._parts:
            self._current = part.open_input
            yield from part.rows()
            damage = part.open_input.input_file.damage
            if damage is not None:
                yield Row([None] * len(self.columns), None, damage.message)
            self._current = None
            self._done += part.open_input.input_file.size

    def unchanged(self) -> bool:
        """Whether the files still are what they were when they were opened, by size and time of change."""
        return all(file.unchanged() for file in self._inputs.files)

    def altered(self) -> int | None:
        """Which of the files holds something else than when it was opened; None for none, as far as can be seen.

        One whose time of change is another is read again: it may have been touched only.

        Raises:
            Stopped: a stop was asked for meanwhile.
        """
        return next((number for number in range(len(self._inputs.files)) if self._altered(number)), None)

    def _altered(self, number: int) -> bool:
        file = self._inputs.files[number]
        if file.unchanged():
            return False
        try:
            info = file.path.stat()
            if (
                info.st_size == file.size
                and _sha256(file.path, file.name, self._check) == self.fingerprint[number]["sha256"]
            ):
                self._inputs.files[number] = replace(file, changed_ns=info.st_mtime_ns)
                return False
        except (OSError, UnreadableArchive):
            return False  # out of reach: nobody knows
        return True

    def close(self) -> None:
        """Let go of all inputs."""
        self._inputs.close()


def _union(readers: Sequence[Reader]) -> list[Column]:
    types: dict[str, Any] = {}
    for reader in readers:
        for column in reader.columns:
            types[column.name] = wider(types.get(column.name, column.type), column.type)
    return [Column(name, kind) for name, kind in types.items()]


def _converted(reader: Reader, types: Mapping[str, Any]) -> list[tuple[int, Convert]]:
    found = ((at, conversion(column.type, types[column.name])) for at, column in enumerate(reader.columns))
    return [(at, convert) for at, convert in found if convert is not None]


def _unzoned(readers: Sequence[Reader], types: Mapping[str, Any]) -> list[str]:
    """Columns of times that get a zone which they do not have in every input."""
    columns = (column for reader in readers for column in reader.columns)
    return list(dict.fromkeys(column.name for column in columns if gets_zone(column.type, types[column.name])))


def _layout(reader: Reader, columns: Sequence[Column]) -> list[int | None] | None:
    at = {column.name: index for index, column in enumerate(reader.columns)}
    layout = [at.get(column.name) for column in columns]
    return None if layout == list(range(len(reader.columns))) else layout


def _elsewhere(first: Roles, found: Sequence[Roles]) -> dict[str, list[str]]:
    names = {role: dict.fromkeys(getattr(roles, role) for roles in found) for role in ("text", "sender", "time")}
    return {
        role: [name for name in known if name is not None and name != getattr(first, role)]
        for role, known in names.items()
    }


def _roles(found: Sequence[Roles]) -> Roles:
    def first(names: Iterator[str | None]) -> str | None:
        return next((name for name in names if name is not None), None)

    return Roles(
        first(roles.text for roles in found),
        first(roles.sender for roles in found),
        first(roles.time for roles in found),
        any(roles.people for roles in found),
    )


def _sha256(path: Path, name: str, check: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while chunk := file.read(CHUNK_BYTES):
                check()
                digest.update(chunk)
    except OSError as exc:
        raise UnreadableArchive(f"{name} cannot be read ({exc.strerror})") from exc
    return digest.hexdigest()
