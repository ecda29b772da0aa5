"""iMessage's ``chat.db``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from sluice.backfill.formats.base import Finding
from sluice.backfill.formats.database import SIGNATURE, Database, quoted
from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.roles import roles_or
from sluice.backfill.formats.sample import Sample
from sluice.backfill.formats.typedstream import text_of
from sluice.backfill.run.facts import Names, Reason
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import TEXT, Column, Roles
from sluice.backfill.table.row import Row
from sluice.tasks.errors import DamagedArchive, NoMessages
from sluice.tasks.sentence import Sentence

#: What dates count from, and above which they are nanoseconds: as seconds that would be the year 33,000.
EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
MOST_SECONDS = 10**12
#: What stands in a text for an attachment.
OBJECT = "\N{OBJECT REPLACEMENT CHARACTER}"
NO_TEXT = "the message has no text"

#: Columns of ``message`` that are read if the database has them, and their types.
OWN = {
    "guid": TEXT,
    "date": TEXT,
    "is_from_me": pa.int64(),
    "service": TEXT,
    "subject": TEXT,
    "associated_message_type": pa.int64(),
}
CHAT = """(SELECT chat.chat_identifier FROM chat_message_join AS j JOIN chat ON chat.ROWID = j.chat_id
 WHERE j.message_id = {rowid} LIMIT 1)"""


def probe(sample: Sample) -> Finding | None:
    """A database with the table ``message``."""
    if not sample.data.startswith(SIGNATURE) or sample.input_file is None:
        return None
    path = Path(sample.input_file.local_path()).absolute()
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'message'")
            return Finding() if found.fetchone() else None
    except sqlite3.Error as exc:
        raise DamagedArchive(
            Sentence("{file} is a damaged SQLite database ({reason})", file=sample.input_file.name, reason=Reason(exc))
        ) from exc


def open_reader(input_file: InputFile, options: ReadOptions, finding: Finding | None = None) -> MessagesReader:
    """A reader of the table ``message``.

    Raises:
        UnreadableArchive: it is no SQLite database, or none of Messages.
    """
    return MessagesReader(input_file, options)


class MessagesReader:
    """One row for every message, by ROWID: ``OWN`` columns that there are, ``handle``, ``chat``, ``text``.

    ``date`` is ISO 8601 in UTC. A text that is only in ``attributedBody`` is taken from there.
    """

    def __init__(self, input_file: InputFile, options: ReadOptions) -> None:
        self.notes: list[str] = []
        self._database = Database(input_file, self.notes)
        try:
            present = self._database.columns("message")
            if not present.keys() & {"text", "attributedBody"}:
                raise NoMessages(
                    Sentence(
                        "{file} is no chat.db: it has no messages in its tables ({tables})",
                        file=input_file.name,
                        tables=Names(self._database.tables()),
                    )
                )
            self._rowid = f"m.{self._database.rowid('message')}"
            self._terms, self._tables, self.columns = self._plan(present)
            names = [column.name for column in self.columns]
            sender = "handle" if "handle" in names else None
            time = "date" if "date" in names else None
            self.roles: Roles = roles_or(Roles("text", sender, time), input_file.name, names, options)
        except BaseException:
            self._database.close()
            raise
        assert self.roles.text is not None
        self._text = names.index(self.roles.text)
        self.beside = self._database.logs

    def rows(self) -> Iterator[Row]:
        names = [column.name for column in self.columns[:-1]]
        dated = names.index("date") if "date" in names else None
        numbers = [at for at, column in enumerate(self.columns) if column.type != TEXT]
        for found in self._database.rows(self._terms, self._tables, self._rowid):
            if isinstance(found, str):
                yield Row([None] * len(self.columns), None, found)
                continue
            *values, text, body = found
            if dated is not None:
                values[dated] = when(values[dated])
            for at, value in enumerate(values):
                if not isinstance(value, int if at in numbers else str):
                    values[at] = None
            if not isinstance(text, str) or not text:
                text = text_of(body) if isinstance(body, bytes) else None
            values.append(text)
            yield self._row(values)

    def close(self) -> None:
        self._database.close()

    def _row(self, values: list[Any]) -> Row:
        text = values[self._text]
        if not isinstance(text, str) or not text.replace(OBJECT, "").strip():
            return Row(values, None, NO_TEXT)
        return Row(values, text)

    def _plan(self, present: dict[str, str]) -> tuple[str, str, Sequence[Column]]:
        """What to select, with ``text`` and ``attributedBody`` at its end, from what; and the columns of the rows."""
        columns, terms, tables = [Column("ROWID", pa.int64())], [], "message AS m"
        for name, kind in OWN.items():
            if name in present:
                columns.append(Column(name, kind))
                terms.append(f"m.{quoted(name)}")
        if "handle_id" in present and "id" in self._database.columns("handle"):
            columns.append(Column("handle"))
            terms.append("h.id")
            tables += " LEFT JOIN handle AS h ON h.ROWID = m.handle_id"
        if "chat_identifier" in self._database.columns("chat"):
            if self._database.has_index("chat_message_join", "message_id"):
                columns.append(Column("chat"))
                terms.append(CHAT.format(rowid=self._rowid))
            else:
                self.notes.append("its table chat_message_join has no index by message: the column chat is left out")
        columns.append(Column("text"))
        terms.extend(f"m.{name}" if name in present else "NULL" for name in ("text", "attributedBody"))
        return ", ".join(terms), tables, columns


def when(stored: object) -> str | None:
    """A stored date, nanoseconds or (in old databases) seconds since 2001, as ISO 8601 in UTC; None for 0 and junk."""
    if not isinstance(stored, int) or not stored:
        return None
    microseconds = stored // 1_000 if abs(stored) > MOST_SECONDS else stored * 1_000_000
    try:
        return (EPOCH + timedelta(microseconds=microseconds)).isoformat()
    except OverflowError:
        return None
