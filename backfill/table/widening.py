"""One type for a column that several inputs have, each with a type of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sluice.backfill.table.columns import TEXT

Convert = Callable[[Any], Any]

_UNITS = ("s", "ms", "us", "ns")
#: Integers that a floating-point number holds, all of them, have no more bits.
_EXACT_BITS = 32
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
_MOST_DIGITS = 76


def wider(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    """The type that holds the values of both without changing any; text where there is none."""
    if first == second:
        return first
    for one, other in ((first, second), (second, first)):
        if pa.types.is_null(one):
            return other
    for rule in (_numbers, _times, _texts, _lists):
        found = rule(first, second)
        if found is not None:
            return found
    return TEXT


def conversion(narrow: pa.DataType, wide: pa.DataType) -> Convert | None:
    """What makes values of ``narrow``, as Arrow gives them to Python, those of ``wide``; None if they are that."""
    if narrow == wide or pa.types.is_null(narrow):
        return None
    if pa.types.is_floating(wide) and pa.types.is_integer(narrow):
        return float
    if pa.types.is_decimal(wide) and pa.types.is_integer(narrow):
        return Decimal
    if not pa.types.is_timestamp(wide):
        return None
    if pa.types.is_date(narrow):
        return _midnight_utc if wide.tz else _midnight
    if pa.types.is_timestamp(narrow) and narrow.tz != wide.tz:
        return _in_utc if narrow.tz else _as_utc
    return None


def gets_zone(narrow: pa.DataType, wide: pa.DataType) -> bool:
    """Whether values without a zone become such with one."""
    return bool(
        ((pa.types.is_timestamp(narrow) and narrow.tz is None) or pa.types.is_date(narrow))
        and pa.types.is_timestamp(wide)
        and wide.tz
    )


def _numbers(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    types = pa.types
    kinds = (first, second)
    if all(map(types.is_integer, kinds)):
        return _integers(first, second)
    if all(map(types.is_floating, kinds)):
        return max(kinds, key=lambda kind: kind.bit_width)
    if any(map(types.is_floating, kinds)) and any(map(types.is_integer, kinds)):
        integer = next(filter(types.is_integer, kinds))
        return pa.float64() if integer.bit_width <= _EXACT_BITS else None
    if any(map(types.is_decimal, kinds)) and all(types.is_decimal(kind) or types.is_integer(kind) for kind in kinds):
        return _decimals(first, second)
    return None


def _integers(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    signed = [pa.types.is_signed_integer(kind) for kind in (first, second)]
    bits = max(first.bit_width, second.bit_width)
    if signed[0] == signed[1]:
        return first if first.bit_width == bits else second
    unsigned = second if signed[0] else first
    if unsigned.bit_width < bits:
        return first if signed[0] else second
    return {8: pa.int16(), 16: pa.int32(), 32: pa.int64(), 64: pa.decimal128(_DIGITS[64], 0)}[unsigned.bit_width]


def _decimals(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    shapes = [
        (kind.precision - kind.scale, kind.scale) if pa.types.is_decimal(kind) else (_DIGITS[kind.bit_width], 0)
        for kind in (first, second)
    ]
    scale = max(scale for _, scale in shapes)
    digits = max(whole for whole, _ in shapes) + scale
    if digits > _MOST_DIGITS:
        return None
    return pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale)


def _times(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    types = pa.types
    kinds = (first, second)
    if all(map(types.is_date, kinds)):
        return pa.date32()
    if all(types.is_timestamp(kind) or types.is_date(kind) for kind in kinds):
        stamps = [kind for kind in kinds if types.is_timestamp(kind)]
        zones = {kind.tz for kind in stamps}
        # Readers cut nanoseconds, whose years end in 2262.
        zone = zones.pop() if len(zones) == 1 else "UTC"
        return pa.timestamp(_finest([kind.unit for kind in stamps]), zone)
    if all(map(types.is_time, kinds)):
        unit = _finest([kind.unit for kind in kinds])
        return pa.time64(unit) if unit == "us" else pa.time32(unit)
    if all(map(types.is_duration, kinds)):
        return pa.duration(_finest([kind.unit for kind in kinds]))
    return None


def _finest(units: list[str]) -> str:
    finest = max(units, key=_UNITS.index)
    return "us" if finest == "ns" and len(set(units)) > 1 else finest


def _texts(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    types = pa.types

    def is_bytes(kind: pa.DataType) -> bool:
        return types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)

    return pa.binary() if is_bytes(first) and is_bytes(second) else None


def _lists(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """Lists whose elements have a wider type, if no element has to be changed for it."""
    types = pa.types

    def is_list(kind: pa.DataType) -> bool:
        return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)

    if not (is_list(first) and is_list(second)):
        return None
    inner = wider(first.value_type, second.value_type)
    parts = (first.value_type, second.value_type)
    same = inner != TEXT or all(types.is_string(kind) or types.is_large_string(kind) for kind in parts)
    return pa.list_(inner) if same and all(conversion(kind, inner) is None for kind in parts) else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _midnight_utc(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
