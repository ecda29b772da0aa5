"""The columns of an archive, in the one vocabulary that readers and writers share: Arrow's types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

TEXT = pa.string()


@dataclass(frozen=True, slots=True)
class Column:
    """A column; its values are what Arrow's ``to_pylist`` gives for the type, or None.

    Columns without types of their own (CSV, XML) are ``pa.string()``. Nested JSON is a ``pa.string()`` column only
    where rows disagree about its type; its values may then be any JSON value, and writers encode what is no string.
    """

    name: str
    type: pa.DataType = TEXT


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the columns that mean something to us; None where there is no such column.

    Attributes:
        people: the senders are names of people, which no page shows to others.
    """

    text: str | None = None
    sender: str | None = None
    time: str | None = None
    people: bool = False


def unique(names: Sequence[str]) -> list[str]:
    """``names`` with empty ones numbered and repeated ones told apart: ``text``, ``text_2``."""
    taken: dict[str, int] = {}  # names, and the number that was last tried behind them: a header may repeat thousands
    result = []
    for number, name in enumerate(names, 1):
        free = base = name or f"column_{number}"
        count = taken.get(base, 1)
        while free in taken:
            count += 1
            free = f"{base}_{count}"
        taken[base] = count
        taken.setdefault(free, 1)
        result.append(free)
    return result
