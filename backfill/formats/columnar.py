"""Parquet and Arrow IPC (files, streams, Feather version 2): columns keep their types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backfill.columns import Column, Roles, unique
from backfill.formats.base import ReadOptions
from backfill.formats.roles import roles_of
from backfill.inputs.origin import Origin
from backfill.row import Row
from tasks.errors import UnreadableArchive

#: Rows that are Python values at a time.
SLICE_ROWS = 4_096
#: Most bytes that the texts of a slice have when a dictionary is decoded: one entry may stand for thousands of rows.
SLICE_BYTES = 1 << 26
#: What is read of a column of a row group at a time.
BUFFER_BYTES = 1 << 20

Batches = Iterator[tuple[pa.RecordBatch, float | None]]


def open_reader(origin: Origin, options: ReadOptions) -> ColumnarReader:
    """A reader of whichever of the formats ``origin`` is in.

    Raises:
        UnreadableArchive: it is in none of them or broken; no column holds texts, or the one that should is of another
            type.
    """
    return ColumnarReader(origin, options)


class ColumnarReader:
    """Rows in the order of the file; dictionaries are decoded, extension types are what they are stored as.

    Values of nanoseconds are cut to microseconds, which is what Python has.
    """

    def __init__(self, origin: Origin, options: ReadOptions) -> None:
        self._origin = origin
        with origin.open() as stream:
            magic = stream.read(8)
        self._batches: Callable[[], Batches]
        with self._faults():
            if magic.startswith(b"PAR1"):
                self._batches = self._parquet
                schema = pq.read_schema(origin.file())
            elif magic.startswith(b"ARROW1"):
                self._batches = self._file
                with _opened(origin.file()) as file:
                    schema = pa.ipc.open_file(file).schema
            elif magic.startswith(b"FEA1"):
                raise UnreadableArchive(f"{origin.name} is Feather version 1: write it anew as version 2 or Parquet")
            else:
                self._batches = self._stream
                with origin.open() as stream:
                    schema = pa.ipc.open_stream(stream).schema
            names = unique(schema.names)
        self.columns: Sequence[Column] = [
            Column(name, plain_type(kind)) for name, kind in zip(names, schema.types, strict=True)
        ]
        self.roles: Roles = roles_of(origin.name, names, options)
        assert self.roles.text is not None
        self._text = names.index(self.roles.text)
        kind = self.columns[self._text].type
        if not _is_text(kind):
            raise UnreadableArchive(
                f"the column {self.roles.text!r} of {origin.name} holds {kind}, not text: say which with --text-column",
                {"field": "text_column"},
            )

    def rows(self) -> Iterator[Row]:
        count = 0
        try:
            with self._faults():
                for batch, share in self._batches():
                    for part in _slices(batch):
                        self._origin.check()
                        yield from self._slice(part)
                        count += part.num_rows
                    if share is not None:
                        self._origin.report(share)
        except UnreadableArchive as exc:
            # Without a cause it is a limit's; with a number the system's, and the bytes may be there the next time.
            if not count or exc.__cause__ is None or getattr(exc.__cause__, "errno", None):
                raise
            yield Row([None] * len(self.columns), None, exc.message)

    def close(self) -> None:
        """Nothing is open between two calls of ``rows``."""

    def _slice(self, batch: pa.RecordBatch) -> Iterator[Row]:
        problems: dict[int, str] = {}
        columns = [
            _values(plain(array), column.name, problems)
            for array, column in zip(batch.columns, self.columns, strict=True)
        ]
        at = self._text
        if not problems:
            for values in zip(*columns, strict=True):
                yield Row(values, values[at])
            return
        for number, values in enumerate(zip(*columns, strict=True)):
            problem = problems.get(number)
            yield Row(values, None if problem else values[at], problem)

    def _parquet(self) -> Batches:
        with pq.ParquetFile(self._origin.file(), buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
            total, done = file.metadata.num_rows, 0
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(SLICE_ROWS, row_groups=[group], use_threads=False):
                    done += batch.num_rows
                    yield batch, min(1.0, done / total)

    def _file(self) -> Batches:
        with _opened(self._origin.file()) as file:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                yield _checked(reader.get_batch(number)), (number + 1) / reader.num_record_batches

    def _stream(self) -> Batches:
        stream: BinaryIO
        with self._origin.open() as stream:
            for batch in pa.ipc.open_stream(stream):
                yield _checked(batch), None

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as exc:
            reason = str(exc).partition("\n")[0][:200]
            if isinstance(exc, UnicodeError):
                reason = "a name of a column is no UTF-8"  # the library's own words show it
            raise UnreadableArchive(f"{self._origin.name} is no Parquet or Arrow, or is damaged: {reason}") from exc


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Pieces of few enough rows that their values fit into memory."""
    rows = SLICE_ROWS
    for array in batch.columns:
        while isinstance(array, pa.ExtensionArray):
            array = array.storage
        if isinstance(array, pa.DictionaryArray) and len(array.dictionary):
            rows = min(rows, SLICE_BYTES // max(1, _largest(array.dictionary)))
    rows = max(1, rows)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


def _largest(array: pa.Array) -> int:
    """Bytes of the largest value, or of all of them if they have no simple length."""
    kind = array.type
    if _is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pc.max(pc.binary_length(array)).as_py() or 0
    return int(array.nbytes)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of ``plain``'s result."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        else:
            return kind


def plain(array: pa.Array) -> pa.Array:
    """``array`` without the ways of storing that say nothing about its values."""
    while True:
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif isinstance(array, pa.DictionaryArray):
            array = array.dictionary_decode()
        elif isinstance(array, pa.RunEndEncodedArray):
            array = pc.run_end_decode(array)
        else:
            return array


def _values(array: pa.Array, name: str, problems: dict[int, str]) -> list[Any]:
    """Python values; what is none goes into ``problems``, by row."""
    kind = array.type
    if getattr(kind, "unit", None) == "ns":
        array = array.cast(_of_microseconds(kind), safe=False)
    try:
        return array.to_pylist()
    except (ValueError, OverflowError, KeyError, pa.ArrowException):
        return [_value(array[row], row, name, problems) for row in range(len(array))]


def _value(scalar: pa.Scalar, row: int, name: str, problems: dict[int, str]) -> Any:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        if _is_text(scalar.type):
            return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
        problems[row] = f"the value of the column {name} is no UTF-8"
    except (ValueError, OverflowError, KeyError, pa.ArrowException):
        problems[row] = f"the value of the column {name} is none that Python has"
    return None


def _of_microseconds(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return pa.time64("us") if pa.types.is_time(kind) else pa.duration("us")


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _checked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """``batch``, whose offsets may be trusted from here on; raises pa.ArrowInvalid."""
    for array in batch.columns:
        binary = _BINARY.get(array.type)
        (array.view(binary) if binary is not None else array).validate(full=True)
    return batch


#: What a text is looked at as, so that bytes that are no UTF-8 spoil their row only.
_BINARY = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


def _opened(path: Path) -> pa.NativeFile:
    return pa.OSFile(str(path))  # not mapped: pages of a map would count as this process's memory
