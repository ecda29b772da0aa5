"""The keys of many JSON objects, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from sluice.backfill.table.columns import TEXT
from sluice.tasks.errors import UnreadableArchive

#: More keys than this are data that somebody has put into keys.
MAX_KEYS = 1_000
#: Shapes of objects that are remembered; then they are learnt anew.
MAX_SHAPES = 10_000
_INT64 = range(-(1 << 63), 1 << 63)
#: Integers that a floating-point number holds, all of them.
_EXACT = range(-(1 << 53), (1 << 53) + 1)

_Shape = tuple[Any, ...]


class Keys:
    """Learns the keys of objects, in order of first appearance, and the types of their values.

    Args:
        name: what messages call the input.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._types: dict[str, set[type]] = {}
        self._wide: set[str] = set()
        self._inexact: set[str] = set()
        # Most objects have a shape seen before: keys and types. The values are the keys of its integers.
        self._shapes: dict[_Shape, list[str]] = {}

    def add(self, found: Mapping[str, Any]) -> None:
        """Learn from one object.

        Raises:
            UnreadableArchive: there are more than ``MAX_KEYS`` keys by now.
        """
        shape = (*found, *map(type, found.values()))
        integers = self._shapes.get(shape)
        if integers is None:
            integers = self._learn(shape, found)
        for key in integers:
            if found[key] not in _EXACT:
                self._inexact.add(key)
                if found[key] not in _INT64:
                    self._wide.add(key)

    def names(self) -> list[str]:
        return list(self._types)

    def types(self) -> list[pa.DataType]:
        """The type of each key's column: text where values disagree or are nested, or where no type holds all of them.

        So it is with integers beyond 64 bits, and, beside real numbers, with those beyond 53 bits.
        """
        return [self._type(key) for key in self._types]

    def textless(self) -> list[int]:
        """Which columns have no text among their values."""
        return [index for index, types in enumerate(self._types.values()) if str not in types]

    def mixed_numbers(self) -> list[int]:
        """Which columns of floating-point numbers have integers among their values."""
        return [
            index
            for index, (key, types) in enumerate(self._types.items())
            if int in types and self._type(key) == pa.float64()
        ]

    def _learn(self, shape: _Shape, found: Mapping[str, Any]) -> list[str]:
        for key, value in found.items():
            types = self._types.setdefault(key, set())
            if value is not None:
                types.add(type(value))
        if len(self._types) > MAX_KEYS:
            raise UnreadableArchive(
                f"the objects in {self._name} have more than {MAX_KEYS:,} different keys", {"limit": MAX_KEYS}
            )
        if len(self._shapes) >= MAX_SHAPES:
            self._shapes.clear()
        integers = [key for key, value in found.items() if type(value) is int]
        self._shapes[shape] = integers
        return integers

    def _type(self, key: str) -> pa.DataType:
        types = self._types[key]
        if types == {bool}:
            return pa.bool_()
        if not types or not types <= {int, float} or key in self._wide:
            return TEXT
        if float not in types:
            return pa.int64()
        return TEXT if key in self._inexact else pa.float64()
