"""Writes the classified archive: a file beside the target, renamed to it when complete."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.backfill.row import Row
from tasks.envelope import Entry
from tasks.errors import SluiceError

ADDED = ("label", "probability", "model", "version", "error")
PREFIX = "sluice_"


class UnwritableOutput(SluiceError):
    """The output cannot be written."""

    status = 500
    code = "unwritable_output"


class CsvWriter:
    """All input columns and ``ADDED``. The target appears at once and whole, or not at all.

    Args:
        path: the target; what was there is replaced at the end.
        header: the input's columns. An added column whose name is taken gets the prefix ``sluice_``.

    Raises:
        UnwritableOutput: (on entry, write and exit) the folder is absent or read-only, or the disk is full.
    """

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._header = [*header, *(_free_name(name, header) for name in ADDED)]

    def __enter__(self) -> Self:
        try:
            self._file = self._partial.open(
                "w", encoding="utf-8", errors="surrogateescape", newline="", buffering=1 << 20
            )
        except OSError as exc:
            raise self._problem(exc) from exc
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(self._header)
        return self

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows that have their answers."""
        try:
            self._csv.writerows([*row.fields, *cells(row.entry or {})] for row in rows)
        except OSError as exc:
            raise self._problem(exc) from exc

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._partial.replace(self._path)
        except OSError as error:
            self._discard()
            raise self._problem(error) from error

    def _discard(self) -> None:
        try:
            self._file.close()
        except OSError:
            pass  # a full disk fails the last flush too
        finally:
            self._partial.unlink(missing_ok=True)

    def _problem(self, exc: OSError) -> UnwritableOutput:
        return UnwritableOutput(f"{self._path} cannot be written ({exc.strerror})")


def cells(entry: Entry) -> tuple[str, str, str, str, str]:
    """The added columns of one answer."""
    if "error" in entry:
        error = entry["error"]
        return "", "", "", "", f"{error['code']}: {error['message']}"
    return entry["label"], f"{entry['probability']:.6f}", entry["model"], entry["version"], ""


def _free_name(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = PREFIX + name
    return name
