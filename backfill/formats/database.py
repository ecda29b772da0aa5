"""SQLite databases of others: opened for reading only, nothing in them is trusted or changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from backfill.inputs.origin import Origin
from tasks.errors import UnreadableArchive

#: Rows of one question: what is in memory at a time.
SLICE_ROWS = 1_000
FIRST_ROWID = -(2**63)


class Database:
    """One connection to the database that ``origin`` is.

    Args:
        origin: its ``file()`` is opened.
        notes: gets a sentence if recent changes, still in a log beside the file, cannot be read.

    Raises:
        UnreadableArchive: it is no database, or broken.
    """

    def __init__(self, origin: Origin, notes: list[str]) -> None:
        self._origin = origin
        path = origin.file()
        with self._faults():
            self._connection = _connect(path, notes)

    def tables(self) -> list[str]:
        """Names of all tables."""
        question = "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"
        return [name for (name,) in self._all(question)]

    def columns(self, table: str) -> dict[str, str]:
        """Names and declared types of a table's columns; empty if there is no such table."""
        return {name: kind for _, name, kind, *_ in self._all(f"PRAGMA table_info({quoted(table)})")}

    def has_index(self, table: str, column: str) -> bool:
        """Whether rows of ``table`` are found by ``column`` without reading all of them."""
        indexes = [row[1] for row in self._all(f"PRAGMA index_list({quoted(table)})")]
        firsts = (self._all(f"PRAGMA index_info({quoted(index)})")[:1] for index in indexes)
        return any(row[2] == column for first in firsts for row in first)

    def one(self, question: str) -> tuple[Any, ...]:
        """The first row of an answer."""
        found: tuple[Any, ...] = self._all(question)[0]
        return found

    def slices(self, select: str, rowid: str, last: int | None) -> Iterator[tuple[Any, ...]]:
        """Rows of ``select``, whose first value is ``rowid``, in its order.

        Args:
            select: a question without an order; it has no parameter and no WHERE.
            rowid: the table's row number, as ``select`` has to name it.
            last: the highest one, for the progress.
        """
        question = f"{select} WHERE {rowid} > ? ORDER BY {rowid} LIMIT {SLICE_ROWS}"
        after = FIRST_ROWID
        while rows := self._all(question, (after,)):
            yield from rows
            after = rows[-1][0]
            if last and after > 0:
                self._origin.report(min(1.0, after / last))

    def close(self) -> None:
        self._connection.close()

    def _all(self, question: str, parameters: tuple[int, ...] = ()) -> list[tuple[Any, ...]]:
        with self._faults():
            return self._connection.execute(question, parameters).fetchall()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OverflowError) as exc:
            raise UnreadableArchive(f"{self._origin.name} cannot be read as an SQLite database ({exc})") from exc


def quoted(name: str) -> str:
    """``name`` as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def _connect(path: Path, notes: list[str]) -> sqlite3.Connection:
    """Without a log beside it the file is opened as one that nobody writes: so SQLite leaves nothing beside it."""
    logs = [path.with_name(path.name + end) for end in ("-wal", "-journal")]
    log = next((one for one in logs if one.is_file() and one.stat().st_size), None)
    if log is not None:
        try:
            return _opened(path, "mode=ro")
        except sqlite3.OperationalError:
            notes.append(f"{log.name} cannot be read with {path.name}: messages that only it holds are missing")
    return _opened(path, "mode=ro&immutable=1")


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True)
    try:
        connection.text_factory = _text
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _text(stored: bytes) -> str:
    """Bytes that are no UTF-8 survive; their row is marked later."""
    return stored.decode("utf-8", "surrogateescape")
