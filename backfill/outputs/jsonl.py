"""JSON lines: one object per row, with every column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sluice.backfill.outputs.appended import growing
from sluice.backfill.outputs.base import State
from sluice.backfill.table.columns import Column, unique
from sluice.backfill.table.values import as_json, unicode


class JsonlWriter:
    """Rows as JSON objects; values keep their types as far as JSON has them, see ``as_json``.

    The state is ``{"bytes": length of the file}``.

    Raises:
        UnwritableOutput: as ``Writer``.
    """

    def __init__(self, partial: Path, columns: Sequence[Column], state: State | None) -> None:
        self._names = unique([unicode(column.name) for column in columns])
        self._file = growing(partial, state["bytes"] if state else None)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows; one value per column each."""
        names = self._names
        lines = [as_json(dict(zip(names, row, strict=True))) for row in rows]
        if lines:
            self._file.append(b"\n".join([*lines, b""]))

    def commit(self) -> State:
        """Everything written so far survives a crash of the machine."""
        return {"bytes": self._file.commit()}

    def finish(self) -> None:
        """The file is complete and safe on disk."""
        self._file.commit()

    def close(self) -> None:
        """Let go of the file as it is."""
        self._file.close()
