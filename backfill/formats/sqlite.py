"""Our own SQLite output as an input: the table ``messages``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from sluice.backfill.formats.base import Finding
from sluice.backfill.formats.database import SIGNATURE, Database, quoted
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.roles import roles_of
from sluice.backfill.formats.sample import Sample
from sluice.backfill.run.facts import Names, Quoted
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import TEXT, Column, Roles
from sluice.backfill.table.row import Row
from sluice.backfill.table.values import as_text
from sluice.tasks.errors import NoMessages, UnreadableArchive
from sluice.tasks.sentence import Sentence

TABLE = "messages"
#: Types by declared type, with the kinds of values that fit them; other values make the column text.
TYPES = {
    "INTEGER": (pa.int64(), {"integer", "null"}),
    "REAL": (pa.float64(), {"real", "integer", "null"}),
    "BLOB": (pa.binary(), {"blob", "null"}),
}


def probe(sample: Sample) -> Finding | None:
    """Any database: what is in it is seen when it is opened."""
    return Finding() if sample.data.startswith(SIGNATURE) else None


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> TableReader:
    """A reader of the table ``messages``.

    Raises:
        UnreadableArchive: it is no SQLite database, has no such table, or none of its columns holds texts.
    """
    return TableReader(input_file, options)


class TableReader:
    """One row for every row of the table, by row number."""

    def __init__(self, input_file: InputFile, options: ReadOptions) -> None:
        self.notes: list[str] = []
        self._database = Database(input_file, self.notes)
        try:
            if TABLE not in self._database.tables():
                raise NoMessages(
                    Sentence(
                        "{file} is a database of something else: it has no table {table}, its tables are {tables}",
                        file=input_file.name,
                        table=Quoted(TABLE),
                        tables=Names(self._database.tables()),
                    )
                )
            declared = self._database.columns(TABLE)
            self.columns: Sequence[Column] = self._typed(declared)
            self.roles: Roles = roles_of(input_file.name, list(declared), options)
            self._rowid = self._database.rowid(TABLE)
        except BaseException:
            self._database.close()
            raise
        assert self.roles.text is not None
        self._text = list(declared).index(self.roles.text)
        self.beside = self._database.logs

    def rows(self) -> Iterator[Row]:
        names = ", ".join(quoted(column.name) for column in self.columns)
        texts = [at for at, column in enumerate(self.columns) if column.type == TEXT]
        floats = [at for at, column in enumerate(self.columns) if column.type == pa.float64()]
        for found in self._database.rows(names, TABLE, self._rowid):
            if isinstance(found, str):
                yield Row([None] * len(self.columns), None, found)
                continue
            values = list(found[1:])
            for at in texts:
                if values[at] is not None and not isinstance(values[at], str):
                    values[at] = as_text(values[at])
            for at in floats:
                if values[at] is not None:
                    values[at] = float(values[at])
            yield self._row(values)

    def close(self) -> None:
        self._database.close()

    def _row(self, values: list[Any]) -> Row:
        text = values[self._text]
        if text is not None and not isinstance(text, str):
            return Row(values, None, f"the column {self.columns[self._text].name} holds no text")
        return Row(values, text)

    def _typed(self, declared: dict[str, str]) -> list[Column]:
        """The declared type of each column, unless values of another kind are in it."""
        kinds = ", ".join(f"group_concat(DISTINCT typeof({quoted(name)}))" for name in declared)
        try:
            found = self._database.one(f"SELECT {kinds} FROM {TABLE}")  # noqa: S608 - quoted
        except UnreadableArchive:  # damaged, somewhere: its rows are read as far as they go, as text
            return [Column(name) for name in declared]
        columns = []
        for (name, kind), values in zip(declared.items(), found, strict=True):
            known, fitting = TYPES.get(kind.upper(), (TEXT, set()))
            columns.append(Column(name, known if set((values or "null").split(",")) <= fitting else TEXT))
        return columns
