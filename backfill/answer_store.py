"""Answers of this backfill by text: a text that comes again is not paid again. On disk, so that memory stays flat."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import orjson

from sluice.backfill.outputs.fault import faults_of
from sluice.tasks.wire.entry import Entry, Prediction, prediction

#: Bytes of a text's digest. At 16, two of a billion different texts collide with a probability near 1e-21.
DIGEST_BYTES = 16
#: Digests in one question to the store.
LOOKUP = 256
#: Pages of the store that this process holds, KiB; the system's own cache holds the others.
CACHE_KIB = 2_048

SCHEMA = """
CREATE TABLE IF NOT EXISTS models (number INTEGER PRIMARY KEY, name TEXT, version TEXT, UNIQUE (name, version));
CREATE TABLE IF NOT EXISTS answers (
    digest BLOB PRIMARY KEY, first INTEGER NOT NULL, model INTEGER NOT NULL,
    label TEXT NOT NULL, probability REAL NOT NULL, scores BLOB, verdict TEXT, rule TEXT
) WITHOUT ROWID;
"""
#: What SQLite says of a file that is not such a database; a full disk or a locked file is no reason to forget it.
BROKEN = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
MARKS = ", ".join("?" * LOOKUP)
FIELDS = "digest, first, label, probability, scores, verdict, rule"
FIND = f"SELECT {FIELDS} FROM answers WHERE digest IN ({MARKS}) AND model = ?"  # noqa: S608


def digest_of(text: str) -> bytes:
    """What stands for a text; raises UnicodeEncodeError for one that UTF-8 cannot carry."""
    return blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()


class AnswerStore:
    """Digest → answer, for the version of the model that answers now. Holds no text. One thread's.

    What is stored for another version stays, and counts again should that version come back.

    Args:
        path: the database; a broken one, or one of another layout, is begun anew.

    Raises:
        UnwritableOutput: (everywhere but in ``close``) the disk is full, or the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with faults_of(path):
            try:
                self._db = self._open()
            except sqlite3.DatabaseError as exc:
                if exc.sqlite_errorcode & 0xFF not in BROKEN:
                    raise
                for one in path.parent.glob(f"{path.name}*"):
                    one.unlink()
                self._db = self._open()
        found = self._db.execute("SELECT name, version, number FROM models")
        self._models = {(name, version): number for name, version, number in found}
        self._current: tuple[str, str] | None = None

    def serve(self, model: str, version: str) -> None:
        """From now on only answers of this version are found."""
        self._current = (model, version)

    def find(self, digests: Sequence[bytes]) -> dict[bytes, tuple[Entry, int]]:
        """The stored answers of these texts, at most ``LOOKUP`` of them, and the row that each was asked for."""
        number = self._models.get(self._current) if self._current else None
        if number is None or not digests:
            return {}
        assert self._current is not None
        with faults_of(self._path):
            found = self._db.execute(FIND, [*digests, *[None] * (LOOKUP - len(digests)), number]).fetchall()
        known: dict[bytes, tuple[Entry, int]] = {}
        for digest, first, label, probability, scores, verdict, rule in found:
            entry = prediction(None, label, probability, *self._current)
            if scores is not None:
                entry["scores"] = orjson.loads(scores)
            if rule is not None:
                entry["verdict"], entry["rule"] = verdict, rule
            known[digest] = entry, first
        return known

    def keep(self, answers: Iterable[tuple[bytes, int, Prediction]]) -> None:
        """Store answers with the row that each was asked for.

        The version of the last one is the one that answers now.
        """
        rows = []
        for digest, first, entry in answers:
            model = (entry["model"], entry["version"])
            if model != self._current:
                self.serve(*model)
            number = self._models.get(model) or self._number(*model)
            scores = entry.get("scores")
            kept = orjson.dumps(scores) if scores is not None else None
            judged = entry.get("verdict"), entry.get("rule")
            rows.append((digest, first, number, entry["label"], entry["probability"], kept, *judged))
        with faults_of(self._path):
            self._db.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def commit(self) -> None:
        with faults_of(self._path):
            self._db.commit()

    def close(self) -> None:
        self._db.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        database.executescript(SCHEMA)
        database.execute(FIND, [None] * (LOOKUP + 1))
        return database

    def _number(self, model: str, version: str) -> int:
        with faults_of(self._path):
            number = self._db.execute("INSERT INTO models (name, version) VALUES (?, ?)", (model, version)).lastrowid
        assert number is not None
        self._models[(model, version)] = number
        return number
