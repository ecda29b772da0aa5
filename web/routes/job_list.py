"""``GET /jobs``: a caller's jobs and archives, newest first, in pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from sluice.web.http.errors import invalid, problem

Rows = list[tuple[str, dict[str, Any]]]
"""Position and JSON of jobs, greatest position first."""
Source = Callable[[str | None, int], Rows]
"""Rows from behind a position, at most so many."""

STATES = ("queued", "running", "done", "failed", "cancelled")
DEFAULT_LIMIT, MAX_LIMIT = 20, 100
#: Jobs that one request looks at for those in a wanted state.
MAX_SCANNED = 500
CURSOR = re.compile(r"[0-9]{16}:[A-Za-z0-9-]{1,80}")


def page(sources: Sequence[Source], before: str | None, limit: int, states: frozenset[str]) -> tuple[Rows, str | None]:
    """At most ``limit`` jobs in one of ``states`` (none: in any), and the cursor of the next page.

    A page may be short although others follow: no request looks at more than ``MAX_SCANNED`` jobs.
    """
    found: Rows = []
    scanned, step = 0, limit + 1 if not states else MAX_LIMIT
    while scanned < MAX_SCANNED:
        rows = sorted((row for source in sources for row in source(before, step)), key=_position, reverse=True)[:step]
        for row in rows:
            if len(found) == limit:
                return found, before
            before = row[0]
            scanned += 1
            if not states or row[1]["state"] in states:
                found.append(row)
        if len(rows) < step:
            return found, None
    return found, before


def wanted_states(given: str | None) -> frozenset[str]:
    """The states in ``?state=queued,running``; raises InvalidInput."""
    if given is None:
        return frozenset()
    names = {name.strip() for name in given.split(",")}
    if not names <= set(STATES):
        raise invalid([problem("state", f"must be one of {', '.join(STATES)}, or several of them with commas")])
    return frozenset(names)


def cursor(given: str | None) -> str | None:
    """The position in ``?cursor=``; raises InvalidInput."""
    if given is not None and not CURSOR.fullmatch(given):
        raise invalid([problem("cursor", "must be one that an earlier page gave")])
    return given


def _position(row: tuple[str, dict[str, Any]]) -> str:
    return row[0]
