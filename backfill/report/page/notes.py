"""The section of notes: what the reader of the archive had to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Notes:
    """Sentences."""

    template: ClassVar[str] = "notes.html"
    notes: Sequence[str]
