"""What is told about a backfill while it runs."""

from __future__ import annotations

from typing import Protocol

from sluice.backfill.run.facts import Note
from sluice.backfill.run.stats import RunStats


class Display(Protocol):
    """Shows progress to whoever started the run; must be quick."""

    def update(self, share: float, stats: RunStats) -> None:
        """``share`` of the input, 0..1, is written; called several times a second."""

    def words(self, note: Note) -> str:
        """A note about the inputs, as whoever started the run is to read it."""

    def note(self, sentence: str) -> None:
        """Something that the operator should know, such as what is being waited for; may be repeated."""
