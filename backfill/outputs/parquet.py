"""Parquet: rows wait in a spool of Arrow messages, from which the file is made in the end.

A Parquet file cannot be carried on, for its index comes last; a stream of Arrow messages can be cut anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.backfill.outputs.appended import AppendedFile
from sluice.backfill.outputs.arrow_types import array, stored
from sluice.backfill.outputs.base import State
from sluice.backfill.outputs.fault import faults_of, lost
from sluice.backfill.table.columns import Column, unique
from sluice.backfill.table.values import unicode

#: Rows of one Arrow message: few enough that long texts stay below the 2 GB that one array can hold.
BATCH_ROWS = 1_024
#: Largest row group: what readers, and we, hold in memory at once.
GROUP_ROWS = 65_536
GROUP_BYTES = 64 << 20


class ParquetWriter:
    """Rows as Arrow batches in ``<partial>.rows``, uncompressed; ``finish`` makes ``partial`` of them, with zstd.

    The spool stays where it is, so that ``finish`` can be repeated; it goes with the run's folder. The state is
    ``{"bytes": length of the spool}``.

    Raises:
        UnwritableOutput: as ``Writer``.
    """

    def __init__(self, partial: Path, columns: Sequence[Column], state: State | None) -> None:
        self._partial = partial
        self._spool = partial.with_name(f"{partial.name}.rows")
        names = unique([unicode(column.name) for column in columns])
        kinds = [stored(column.type) for column in columns]
        self._schema = pa.schema(list(zip(names, kinds, strict=True)))
        self._rows = AppendedFile(self._spool, state["bytes"] if state else None)
        if state is None:
            self._rows.append(self._schema.serialize())

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows; one value per column each."""
        for start in range(0, len(rows), BATCH_ROWS):
            columns = zip(*rows[start : start + BATCH_ROWS], strict=True)
            arrays = [array(values, kind) for values, kind in zip(columns, self._schema.types, strict=True)]
            self._rows.append(pa.record_batch(arrays, schema=self._schema).serialize())

    def commit(self) -> State:
        """Everything written so far survives a crash of the machine."""
        return {"bytes": self._rows.commit()}

    def finish(self) -> None:
        """Turn the spool into the Parquet file, row group by row group, and make that safe on disk."""
        with faults_of(self._partial), self._partial.open("wb") as file:
            with pq.ParquetWriter(file, self._schema, compression="zstd") as parquet:
                for group in self._groups():
                    parquet.write_table(group, row_group_size=GROUP_ROWS)
                    del group  # before the next one is read
            file.flush()
            os.fsync(file.fileno())

    def _groups(self) -> Iterator[pa.Table]:
        batches: list[pa.RecordBatch] = []
        rows = size = 0
        for batch in self._batches():
            if batches and (rows + batch.num_rows > GROUP_ROWS or size >= GROUP_BYTES):
                yield pa.Table.from_batches(batches)
                batches, rows, size = [], 0, 0
            batches.append(batch)
            rows += batch.num_rows
            size += batch.nbytes
        if batches:
            yield pa.Table.from_batches(batches)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            with pa.OSFile(str(self._spool)) as spool, pa.ipc.open_stream(spool) as stream:
                yield from stream
        except (pa.ArrowInvalid, EOFError) as exc:  # someone else has changed the spool
            raise lost(self._spool) from exc

    def close(self) -> None:
        """Let go of the spool as it is."""
        self._rows.close()
