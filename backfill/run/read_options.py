"""What the caller says about the input."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the caller said about the input; None: found out from the content."""

    format: str | None = None
    text_column: str | None = None
    sender_column: str | None = None
    time_column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    date_order: str | None = None
    """WhatsApp only: ``dmy``, ``mdy`` or ``ymd``."""
