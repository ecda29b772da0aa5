"""Reads outputs back, for comparing them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any


def sqlite_rows(path: Path) -> list[tuple[Any, ...]]:
    """All rows of our table, in the order in which they were written."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT * FROM messages ORDER BY rowid").fetchall()
