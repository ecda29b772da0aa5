"""Arrow's types, as far as a Parquet file can hold them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sluice.backfill.table.columns import TEXT
from sluice.backfill.table.values import as_text, unicode

#: What pyarrow raises for a value that is not of the type: its other errors are among these.
MISFITS = (ValueError, TypeError, OverflowError, pa.ArrowNotImplementedError)


def stored(kind: pa.DataType) -> pa.DataType:
    """The type that ``kind`` is written as: itself, or the nearest one that Parquet has; text where there is none.

    Encodings (dictionary, run-end) give way to the type of their values, views to what they look at, extension types
    but UUID and JSON to their storage, and a column of nulls becomes text.
    """
    kind = TEXT if pa.types.is_null(kind) else _plain(kind)
    try:
        with pq.ParquetWriter(io.BytesIO(), pa.schema([("column", kind)])):
            return kind
    except pa.ArrowNotImplementedError:  # unions, calendar intervals, structs without fields
        return TEXT


def _plain(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if isinstance(kind, pa.Bool8Type):
        return pa.bool_()
    if isinstance(kind, pa.BaseExtensionType):
        return kind if isinstance(kind, (pa.UuidType, pa.JsonType)) else _plain(kind.storage_type)
    if types.is_string_view(kind):
        return TEXT
    if types.is_binary_view(kind):
        return pa.binary()
    if types.is_fixed_size_list(kind):
        return pa.list_(_plain(kind.value_type), kind.list_size)
    if types.is_large_list(kind):
        return pa.large_list(_plain(kind.value_type))
    if types.is_list(kind) or types.is_list_view(kind) or types.is_large_list_view(kind):
        return pa.list_(_plain(kind.value_type))
    if types.is_map(kind):
        return pa.map_(_plain(kind.key_type), _plain(kind.item_type))
    if types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    return kind


def array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """``values`` as an array of ``kind``, whatever they are.

    Into text goes ``as_text`` of what is none. Any other value that does not fit becomes null.
    """
    try:
        return pa.array(values, kind)
    except MISFITS:
        return pa.array([_fitting(value, kind) for value in values], kind)


def _fitting(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return unicode(as_text(value))
    value = _unicode_within(value)
    try:
        pa.array([value], kind)
    except MISFITS:
        return None
    return value


def _unicode_within(value: Any) -> Any:
    if isinstance(value, str):
        return unicode(value)
    if isinstance(value, dict):
        return {_unicode_within(key): _unicode_within(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_unicode_within, value))
    return value
