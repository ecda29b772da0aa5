"""Parquet and Arrow IPC (files, streams, Feather version 2): columns keep their types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sluice.backfill.formats.input_file import InputFile
from sluice.backfill.formats.roles import roles_of
from sluice.backfill.run.facts import Names, Note, Option, Quoted, Reason
from sluice.backfill.run.read_options import ReadOptions
from sluice.backfill.table.columns import Column, Roles, unique
from sluice.backfill.table.row import Row
from sluice.tasks.errors import DamagedArchive, NoMessages, UnreadableArchive
from sluice.tasks.sentence import Sentence

#: Rows that are Python values at a time.
SLICE_ROWS = 4_096
#: Most bytes that the texts of a slice have when a dictionary is decoded: one entry may stand for thousands of rows.
SLICE_BYTES = 1 << 26
#: What is read of a column of a row group at a time.
BUFFER_BYTES = 1 << 20

#: What pyarrow raises when the bytes are not what they should be.
FAULTS = (pa.ArrowException, OSError, ValueError, KeyError, MemoryError)

#: Batches and what share of the file they end at; in place of one that is damaged, what is missing.
Batches = Iterator[tuple[pa.RecordBatch | UnreadableArchive, float | None]]


def open_reader(input_file: InputFile, options: ReadOptions) -> ColumnarReader:
    """A reader of whichever of the formats ``input_file`` is in.

    Raises:
        UnreadableArchive: it is in none of them or broken; no column holds texts, or the one that should is of another
            type.
    """
    return ColumnarReader(input_file, options)


class ColumnarReader:
    """Rows in the order of the file; dictionaries are decoded, extension types are what they are stored as.

    Values of nanoseconds are cut to microseconds, which is what Python has; a note says where that has changed some.
    """

    def __init__(self, input_file: InputFile, options: ReadOptions) -> None:
        self._input_file = input_file
        self._cut: dict[str, None] = {}
        with input_file.open() as stream:
            magic = stream.read(8)
        self._batches: Callable[[], Batches]
        with self._faults():
            if magic.startswith(b"PAR1"):
                self._batches = self._parquet
                schema = pq.read_schema(input_file.local_path())
            elif magic.startswith(b"ARROW1"):
                self._batches = self._file
                with _opened(input_file.local_path()) as file:
                    schema = pa.ipc.open_file(file).schema
            elif magic.startswith(b"FEA1"):
                raise UnreadableArchive(
                    f"{input_file.name} is Feather version 1: write it anew as version 2 or Parquet"
                )
            else:
                self._batches = self._stream
                with input_file.open() as stream:
                    schema = pa.ipc.open_stream(stream).schema
            names = unique(schema.names)
        self.roles: Roles = roles_of(input_file.name, names, options)
        assert self.roles.text is not None
        self._text = names.index(self.roles.text)
        types = [plain_type(kind) for kind in schema.types]
        types[self._text] = kind = _AS_TEXT.get(types[self._text], types[self._text])
        self.columns: Sequence[Column] = list(map(Column, names, types))
        if not _is_text(kind):
            raise NoMessages(
                Sentence(
                    "the column {column} of {file} holds {kind}, not text: say which with {option}",
                    column=Quoted(self.roles.text),
                    file=input_file.name,
                    kind=kind,
                    option=Option.TEXT_COLUMN,
                ),
                {"field": "text_column"},
            )

    @property
    def notes(self) -> list[Note]:
        """Complete after the last row."""
        if not self._cut:
            return []
        return [
            Sentence(
                "its nanoseconds are cut to microseconds, which changes values of {columns}", columns=Names(self._cut)
            )
        ]

    def rows(self) -> Iterator[Row]:
        missing: list[UnreadableArchive] = []
        try:
            with self._faults():
                good = False
                for batch, share in self._batches():
                    if isinstance(batch, UnreadableArchive):
                        missing.append(batch)
                        continue
                    for part in _slices(batch):
                        self._input_file.check()
                        yield from map(self._damage, missing)
                        missing.clear()
                        yield from self._slice(part)
                        good = True
                    if share is not None:
                        self._input_file.report(share)
        except UnreadableArchive as exc:
            # Without a cause it is a limit's; with a number the system's, and the bytes may be there the next time.
            if not good or exc.__cause__ is None or getattr(exc.__cause__, "errno", None):
                raise
            missing.append(exc)
        if missing and not good:
            raise missing[0]
        yield from map(self._damage, missing)

    def _damage(self, exc: UnreadableArchive) -> Row:
        return Row([None] * len(self.columns), None, exc.message)

    def close(self) -> None:
        """Nothing is open between two calls of ``rows``."""

    def _slice(self, batch: pa.RecordBatch) -> Iterator[Row]:
        problems: dict[int, str] = {}
        at = self._text
        arrays = list(map(plain, batch.columns))
        if arrays[at].type in _AS_TEXT:
            arrays[at] = arrays[at].view(_AS_TEXT[arrays[at].type])
        columns = [
            self._values(array, column.name, problems) for array, column in zip(arrays, self.columns, strict=True)
        ]
        if not problems:
            for values in zip(*columns, strict=True):
                yield Row(values, values[at])
            return
        for number, values in enumerate(zip(*columns, strict=True)):
            problem = problems.get(number)
            yield Row(values, None if problem else values[at], problem)

    def _parquet(self) -> Batches:
        with pq.ParquetFile(
            self._input_file.local_path(), buffer_size=BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True
        ) as file:
            total, before = file.metadata.num_rows, 0
            for group in range(file.num_row_groups):
                done, before = before, before + file.metadata.row_group(group).num_rows
                try:
                    for batch in file.iter_batches(SLICE_ROWS, row_groups=[group], use_threads=False):
                        done += batch.num_rows
                        yield batch, min(1.0, done / total)
                except FAULTS as exc:  # the next group can be read nevertheless
                    yield self._fault(exc, f"; missing are the rows {done + 1:,} to {before:,}"), None

    def _file(self) -> Batches:
        with _opened(self._input_file.local_path()) as file:
            reader = pa.ipc.open_file(file)
            count = reader.num_record_batches
            for number in range(count):
                try:
                    yield _checked(reader.get_batch(number)), (number + 1) / count
                except FAULTS as exc:
                    yield self._fault(exc, f"; missing is batch {number + 1:,} of {count:,}"), None

    def _stream(self) -> Batches:
        stream: BinaryIO
        with self._input_file.open() as stream:
            for batch in pa.ipc.open_stream(stream):
                yield _checked(batch), None

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except FAULTS as exc:
            raise self._fault(exc) from exc

    def _fault(self, exc: BaseException, missing: str = "") -> UnreadableArchive:
        """The error that ``exc`` is; raised if it is the system's, for then the bytes may be there the next time."""
        reason = str(exc).partition("\n")[0][:200]
        if isinstance(exc, UnicodeError):
            reason = "a name of a column is no UTF-8"  # the library's own words show it
        kind = UnreadableArchive if getattr(exc, "errno", None) else DamagedArchive
        fault = kind(
            Sentence(
                "{file} is no Parquet or Arrow, or is damaged: {reason}{missing}",
                file=self._input_file.name,
                reason=Reason(reason),
                missing=missing,
            )
        )
        if missing and getattr(exc, "errno", None):
            raise fault from exc
        return fault

    def _values(self, array: pa.Array, name: str, problems: dict[int, str]) -> list[Any]:
        """Python values; what is none goes into ``problems``, by row."""
        kind = _of_microseconds(plain_type(array.type))
        with suppress(pa.ArrowException):  # views of lists: their values are taken one by one
            try:
                array = array.cast(kind)
            except pa.ArrowInvalid:
                array = array.cast(kind, safe=False)
                self._cut[name] = None
        try:
            return array.to_pylist()
        except (ValueError, OverflowError, KeyError, pa.ArrowException):
            return [_value(array[row], row, name, problems) for row in range(len(array))]


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


@cache
def plain_type(kind: pa.DataType) -> pa.DataType:
    """``kind`` without the ways of storing that say nothing about its values, however deep they are."""
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    return _of_parts(kind, plain_type)


def plain(array: pa.Array) -> pa.Array:
    """``array`` without the ways of storing that say nothing about its values; what is within them stays."""
    while True:
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif isinstance(array, pa.DictionaryArray):
            array = array.dictionary_decode()
        elif isinstance(array, pa.RunEndEncodedArray):
            array = pc.run_end_decode(array)
        else:
            return array


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


@cache
def _of_microseconds(kind: pa.DataType) -> pa.DataType:
    """``kind`` with microseconds in place of nanoseconds, however deep they are."""
    if getattr(kind, "unit", None) == "ns":
        if pa.types.is_timestamp(kind):
            return pa.timestamp("us", kind.tz)
        return pa.time64("us") if pa.types.is_time(kind) else pa.duration("us")
    return _of_parts(kind, _of_microseconds)


def _of_parts(kind: pa.DataType, inner: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """``kind`` with ``inner`` of the types that it is made of."""
    types = pa.types
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(inner(kind.value_type)))
    if types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(inner(kind.value_type)))
    if types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(inner(kind.value_type)), kind.list_size)
    if types.is_map(kind):
        return pa.map_(inner(kind.key_type), kind.item_field.with_type(inner(kind.item_type)))
    if types.is_struct(kind):
        return pa.struct([field.with_type(inner(field.type)) for field in kind])
    return kind


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
#: Hive and Impala may write texts without saying that they are.
_AS_TEXT = {binary: text for text, binary in _BINARY.items()}


def _opened(path: Path) -> pa.NativeFile:
    return pa.OSFile(str(path))  # not mapped: pages of a map would count as this process's memory
