"""SQLite: one table, ``messages``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import NoneType
from typing import Any

import pyarrow as pa

from sluice.backfill.outputs.base import State
from sluice.backfill.outputs.fault import faults_of, lost
from sluice.backfill.table.columns import Column
from sluice.backfill.table.values import as_text, unicode
from sluice.tasks.errors import UnwritableOutput

#: SQLite's own name for the number of a row. A column may be called ``rowid`` and would hide it; this one may not.
ROWID = "_rowid_"
#: How long another program that looks at the file may hold it.
BUSY_S = 60.0
MIN_INT, MAX_INT = -(2**63), 2**63 - 1


class SqliteWriter:
    """Rows in a table of ``partial``, a transaction per commit.

    The state is ``{"rows": how many}``. Names of columns that SQLite takes for the same, for they differ in case only,
    are told apart by a number.

    Raises:
        UnwritableOutput: as ``Writer``; also for more columns than SQLite's limit.
    """

    def __init__(self, partial: Path, columns: Sequence[Column], state: State | None) -> None:
        self._partial = partial
        self._stores = [_Store(column.type) for column in columns]
        if state is not None and not partial.exists():
            raise lost(partial)
        if state is None:
            with faults_of(partial):
                partial.unlink(missing_ok=True)
                partial.with_name(f"{partial.name}-journal").unlink(missing_ok=True)
        with faults_of(partial):
            self._db = sqlite3.connect(partial, timeout=BUSY_S, isolation_level=None)
        try:
            with faults_of(partial):
                # The journal is one file more only within a transaction. EXTRA: it is known to be gone after COMMIT.
                self._db.execute("PRAGMA journal_mode = DELETE")
                self._db.execute("PRAGMA synchronous = EXTRA")
                self._begin(columns, state)
        except BaseException:
            self._db.close()
            raise

    def _begin(self, columns: Sequence[Column], state: State | None) -> None:
        limit = self._db.getlimit(sqlite3.SQLITE_LIMIT_COLUMN)
        if len(columns) > limit:
            raise UnwritableOutput(f"SQLite holds at most {limit} columns, not {len(columns)}: choose another format")
        self._insert = f"INSERT INTO messages VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  # question marks
        self._db.execute("BEGIN IMMEDIATE")
        if state is None:
            names = [_quoted(name) for name in distinct([column.name for column in columns])]
            declared = ", ".join(f"{name} {store.declared}" for name, store in zip(names, self._stores, strict=True))
            self._db.execute(f"CREATE TABLE messages ({declared})")
            self._rows = 0
        else:
            self._rows = state["rows"]
            self._cut()

    def _cut(self) -> None:
        """Take away what lies beyond ``_rows``."""
        self._db.execute("DELETE FROM messages WHERE _rowid_ > ?", (self._rows,))
        (last,) = self._db.execute("SELECT max(_rowid_) FROM messages").fetchone()
        if (last or 0) < self._rows:
            raise lost(self._partial)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows; one value per column each."""
        if not rows:
            return
        with faults_of(self._partial):
            try:
                self._db.executemany(self._insert, self._turned(rows))
            except (UnicodeEncodeError, OverflowError):  # a surrogate, an integer beyond 64 bits
                self._cut()
                self._db.executemany(self._insert, self._turned(rows, all_columns=True))
        self._rows += len(rows)

    def _turned(self, rows: Sequence[Sequence[Any]], *, all_columns: bool = False) -> Iterable[Sequence[Any]]:
        """``rows`` with every value as SQLite is to have it; themselves if that is what they are."""
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        turned = False
        for at, store in enumerate(self._stores):
            if all_columns or not store.plain.issuperset(map(type, columns[at])):
                columns[at] = [None if value is None else store.turn(value) for value in columns[at]]
                turned = True
        return zip(*columns, strict=True) if turned else rows

    def commit(self) -> State:
        """Everything written so far survives a crash of the machine."""
        with faults_of(self._partial):
            self._db.execute("COMMIT")
            self._db.execute("BEGIN IMMEDIATE")
        return {"rows": self._rows}

    def finish(self) -> None:
        """The file is complete and safe on disk, and alone: its journal is gone."""
        with faults_of(self._partial):
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file; what was not committed is taken back."""
        with suppress(sqlite3.Error):
            self._db.close()


class _Store:
    """How values of one type are kept: under which declared type, and what is done to those not in ``plain``."""

    def __init__(self, kind: pa.DataType) -> None:
        types = pa.types
        if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
            kind = kind.value_type
        self.turn: Callable[[Any], Any] = _number
        if types.is_uint64(kind):
            # Declared as INTEGER, SQLite would make a float of what is beyond 64 bits.
            self.declared, self.plain = "", {int, NoneType}
        elif types.is_integer(kind) or types.is_boolean(kind):
            self.declared, self.plain = "INTEGER", {int, bool, NoneType}
        elif types.is_floating(kind) or types.is_duration(kind):
            self.declared, self.plain = "REAL", {float, int, NoneType}
        elif types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
            self.declared, self.plain = "BLOB", {bytes, NoneType}
        else:
            self.declared, self.plain, self.turn = "TEXT", {str, NoneType}, _text


def _text(value: Any) -> str:
    return unicode(as_text(value))


def _number(value: Any) -> Any:
    """What is neither a number nor bytes is kept as text: SQLite allows it, and nothing gets lost."""
    if isinstance(value, int):
        return int(value) if MIN_INT <= value <= MAX_INT else str(value)
    return value if isinstance(value, (float, bytes)) else _text(value)


def distinct(names: Sequence[str]) -> list[str]:
    """``names`` as SQLite can tell them apart: whatever the case, and without what no name may hold."""
    taken = {ROWID}
    result = []
    for name in names:
        base = unicode(name).replace("\0", "\N{REPLACEMENT CHARACTER}")
        free, count = base, 1
        while free.lower() in taken:
            count += 1
            free = f"{base}_{count}"
        taken.add(free.lower())
        result.append(free)
    return result


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
