"""The ``Prefer`` header (RFC 7240): ``wait=SECONDS`` and ``respond-async``."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_WAIT_S = 600.0
WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9}(?:\.\d{1,6})?)\"?\s*(?=$|[,;])", re.IGNORECASE)
ASYNC = re.compile(r"(?:^|[,;\s])respond-async\s*(?=$|[,;])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Preference:
    """How long a caller waits, and what of its wishes was heeded (empty: none was stated)."""

    wait_s: float
    applied: str = ""


def preference(header: str | None, default_wait_s: float) -> Preference:
    """Read a ``Prefer`` header; what it does not say, or says wrongly, leaves the default, as the RFC wants."""
    if not header:
        return Preference(default_wait_s)
    wait = WAIT.search(header)
    asynchronous = ASYNC.search(header)
    applied = ["respond-async"] if asynchronous else []
    wait_s = 0.0 if asynchronous else default_wait_s
    if wait:
        wait_s = min(float(wait[1]), MAX_WAIT_S)
        applied.append(f"wait={wait_s:g}")
    return Preference(wait_s, ", ".join(applied))
