"""SQLite databases of others: opened for reading only, nothing in them is trusted or changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sluice.backfill.formats.base import MAX_FIELD_CHARS
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.run.facts import Reason
from sluice.tasks.errors import DamagedArchive, UnreadableArchive
from sluice.tasks.sentence import Sentence

#: What the file begins with.
SIGNATURE = b"SQLite format 3\0"
#: Rows of one question.
SLICE_ROWS = 1_000
FIRST_ROWID = -(2**63)
#: Largest value of a row.
MAX_VALUE_BYTES = 8 * MAX_FIELD_CHARS
#: What SQLite calls the number of a row, unless a column has that name.
ROWIDS = ("_rowid_", "rowid", "oid")
#: Steps of SQLite's machine between two looks for a stop: some milliseconds.
LOOK_EVERY = 100_000
#: Errors that are the disk's or the system's and not the file's: it may be whole the next time.
NOT_DAMAGE = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY})


class Database:
    """One connection to the database that ``input_file`` is.

    Args:
        input_file: its ``local_path()`` is opened.
        notes: gets a sentence if recent changes, still in a log beside the file, cannot be read.

    Attributes:
        logs: the log that is read with it, if there is one: changes of it are changes of the input.

    Raises:
        UnreadableArchive: it is no database, or broken.
    """

    def __init__(self, input_file: InputFile, notes: list[str]) -> None:
        self._input_file = input_file
        self._raised: BaseException | None = None
        path = input_file.local_path()
        with self._faults():
            self._connection, self.logs = _connect(path, notes)
        self._connection.set_progress_handler(self._look, LOOK_EVERY)

    def tables(self) -> list[str]:
        """Names of all tables."""
        question = "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"
        return [name for (name,) in self._all(question)]

    def columns(self, table: str) -> dict[str, str]:
        """Names and declared types of a table's columns; empty if there is no such table."""
        return {name: kind for _, name, kind, *_ in self._all(f"PRAGMA table_info({quoted(table)})")}

    def rowid(self, table: str) -> str:
        """What the number of a row is called in ``table``.

        Raises:
            UnreadableArchive: rows have none (WITHOUT ROWID), or all of its names are taken by columns.
        """
        taken = {name.lower() for name in self.columns(table)}
        for name in ROWIDS:
            if name not in taken:
                self._all(f"SELECT {name} FROM {quoted(table)} LIMIT 1")  # noqa: S608 - quoted
                return name
        raise UnreadableArchive(f"the table {table} of {self._input_file.name} hides the numbers of its rows")

    def has_index(self, table: str, column: str) -> bool:
        """Whether rows of ``table`` are found by ``column`` without reading all of them."""
        indexes = [row[1] for row in self._all(f"PRAGMA index_list({quoted(table)})")]
        firsts = (self._all(f"PRAGMA index_info({quoted(index)})")[:1] for index in indexes)
        return any(row[2] == column for first in firsts for row in first)

    def one(self, question: str) -> tuple[Any, ...]:
        """The first row of an answer."""
        found: tuple[Any, ...] = self._all(question)[0]
        return found

    def rows(self, terms: str, tables: str, rowid: str) -> Iterator[tuple[Any, ...] | str]:
        """The values of ``rowid`` and ``terms`` for every row of ``tables``, by ``rowid``; one in memory at a time.

        A sentence comes in place of a row that is too large, and of all rows from where the file is damaged.

        Args:
            terms: what to select.
            tables: what stands behind FROM, with one row for each row of its first table.
            rowid: what the number of the first table's row is called.
        """
        question = f"SELECT {rowid}, {terms} FROM {tables} WHERE {rowid} > ? ORDER BY {rowid} LIMIT ?"  # noqa: S608
        after, limit, found = FIRST_ROWID, SLICE_ROWS, True
        try:
            last = self._following("max", tables, rowid, after)
            while found:
                found = False
                try:
                    with self._faults():
                        for row in self._connection.execute(question, (after, limit)):
                            if row[0] <= after:  # pages that point at one another in a circle
                                raise sqlite3.DatabaseError("the numbers of its rows do not rise")
                            yield row
                            after, found = row[0], True
                    limit = SLICE_ROWS
                except UnreadableArchive as exc:
                    if limit > 1:
                        # The library looks one row ahead, and a good row would be lost to the error of the next one.
                        limit, found = 1, True
                    elif isinstance(exc, _TooLarge):
                        yield exc.message
                        before, after = after, self._following("min", tables, rowid, after)
                        limit, found = SLICE_ROWS, after > before
                    else:
                        raise
                self._input_file.report(min(1.0, max(0, after) / max(1, last)))
        except UnreadableArchive as exc:
            if _code(exc.__cause__) in NOT_DAMAGE:
                raise
            yield exc.message

    def close(self) -> None:
        self._connection.close()

    def _all(self, question: str) -> list[tuple[Any, ...]]:
        with self._faults():
            return self._connection.execute(question).fetchall()

    def _following(self, which: str, tables: str, rowid: str, after: int) -> int:
        """The first (``min``) or last (``max``) row's number after one; that one if there is none."""
        with self._faults():
            question = f"SELECT {which}({rowid}) FROM {tables} WHERE {rowid} > ?"  # noqa: S608 - names of ours
            (found,) = self._connection.execute(question, (after,)).fetchone()
        return after if found is None else int(found)

    def _look(self) -> int:
        """Whether SQLite shall give up: an exception out of here would be lost in it."""
        try:
            self._input_file.check()
        except BaseException as exc:
            self._raised = exc
            return 1
        return 0

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OverflowError, MemoryError) as exc:
            if self._raised is not None:
                raise self._raised from None
            if _code(exc) == sqlite3.SQLITE_TOOBIG:
                raise _TooLarge(f"a value is longer than {MAX_VALUE_BYTES:,} bytes") from exc
            kind = UnreadableArchive if _code(exc) in NOT_DAMAGE else DamagedArchive
            raise kind(
                Sentence(
                    "{file} cannot be read as an SQLite database ({reason})",
                    file=self._input_file.name,
                    reason=Reason(str(exc) or "out of memory"),
                )
            ) from exc


class _TooLarge(UnreadableArchive):
    """A row has a value beyond the limit; others can be read."""


def _code(exc: BaseException | None) -> int:
    """SQLite's primary code of an error; 0 for another error."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF


def quoted(name: str) -> str:
    """``name`` as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def _connect(path: Path, notes: list[str]) -> tuple[sqlite3.Connection, list[Path]]:
    """Without a log beside it the file is opened as one that nobody writes: so SQLite leaves nothing beside it."""
    logs = [path.with_name(path.name + end) for end in ("-wal", "-journal")]
    log = next((one for one in logs if one.is_file() and one.stat().st_size), None)
    if log is not None:
        try:
            return _opened(path, "mode=ro"), [log]
        except sqlite3.OperationalError:
            notes.append(f"{log.name} cannot be read with {path.name}: messages that only it holds are missing")
    return _opened(path, "mode=ro&immutable=1"), []


def _opened(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True)
    try:
        connection.text_factory = _text
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
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
