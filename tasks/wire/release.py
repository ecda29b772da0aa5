"""The number of the forms that this release writes."""

from __future__ import annotations

#: 1: without a number, up to 0.1. 2: the number itself.
WIRE = 2
#: What has no number.
FIRST = 1


def wire_of(given: object) -> int:
    """The number in something that was read; ``FIRST`` where there is none."""
    return given if isinstance(given, int) and not isinstance(given, bool) and given >= FIRST else FIRST
