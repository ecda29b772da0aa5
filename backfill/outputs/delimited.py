"""CSV and TSV: UTF-8, ``\\n`` at the end of a line, quotes only where they are needed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from sluice.backfill.outputs.appended import growing
from sluice.backfill.outputs.base import State
from sluice.backfill.table.columns import Column
from sluice.backfill.table.values import as_text

#: Types that the csv module writes as we want them: nothing for None, ``repr`` for a float.
PLAIN = frozenset({str, int, float, type(None)})
#: Surrogates that stand for no byte of the input.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class DelimitedWriter:
    """Rows between ``delimiter``; bytes of a broken input come out as they went in.

    The state is ``{"bytes": length of the file}``.

    Raises:
        UnwritableOutput: as ``Writer``.
    """

    def __init__(self, partial: Path, columns: Sequence[Column], state: State | None, delimiter: str = ",") -> None:
        self._delimiter = delimiter
        self._file = growing(partial, state["bytes"] if state else None)
        if state is None:
            self.write([[column.name for column in columns]])

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows; one value per column each."""
        plain: Iterable[Sequence[Any]] = rows
        if not PLAIN.issuperset(map(type, chain.from_iterable(rows))):
            plain = [[value if type(value) in PLAIN else as_text(value) for value in row] for row in rows]
        self._file.append(_encoded(self._lines(plain)))

    def _lines(self, rows: Iterable[Sequence[Any]]) -> str:
        sink = io.StringIO(newline="")
        csv.writer(sink, delimiter=self._delimiter, lineterminator="\n").writerows(rows)
        lines = sink.getvalue()
        if "\r" not in lines:
            return lines
        # A lone carriage return ends a line for who reads, but only newer versions of the csv module quote it.
        records = _Records()
        csv.writer(records, delimiter=self._delimiter, lineterminator="\r\n").writerows(rows)
        return "".join(f"{record[:-2]}\n" for record in records)

    def commit(self) -> State:
        """Everything written so far survives a crash of the machine."""
        return {"bytes": self._file.commit()}

    def finish(self) -> None:
        """The file is complete and safe on disk."""
        self._file.commit()

    def close(self) -> None:
        """Let go of the file as it is."""
        self._file.close()


class _Records(list[str]):
    """A sink that keeps records apart: the csv module writes each at once."""

    write = list.append


def _encoded(lines: str) -> bytes:
    try:
        return lines.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _NO_BYTE.sub("\N{REPLACEMENT CHARACTER}", lines).encode("utf-8", "surrogateescape")
