"""Reads outputs back, with nothing of ours."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sluice.backfill.outputs.registry import open_writer
from sluice.backfill.table.columns import Column

Table = tuple[list[str], list[list[Any]]]


def written(output_format: str, path: Path, columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Table:
    """What a reader finds when ``rows`` have been written in one go."""
    writer = open_writer(output_format, path, columns, None)
    writer.write(rows)
    writer.finish()
    writer.close()
    return read_back(output_format, path)


def read_back(output_format: str, path: Path) -> Table:
    """``(names, rows)``."""
    if output_format in ("csv", "tsv"):
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
            header, *rows = csv.reader(lines, delimiter="," if output_format == "csv" else "\t")
            return header, [list(row) for row in rows]
    if output_format == "jsonl":
        objects = [json.loads(line) for line in path.read_bytes().splitlines()]
        return list(objects[0]) if objects else [], [list(one.values()) for one in objects]
    if output_format == "parquet":
        table = pq.read_table(path)
        columns = [column.to_pylist() for column in table.columns]
        return table.column_names, [list(row) for row in zip(*columns, strict=True)]
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        cursor = db.execute("SELECT * FROM messages")
        return [name for name, *_ in cursor.description], [list(row) for row in cursor]
