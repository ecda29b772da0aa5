"""What is left to tell when an archive is classified; kept, so that a crash in its report repeats only the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Self

from backfill.archive.folder import Folder
from backfill.engine import Outcome
from backfill.report.names import ReportNames
from backfill.tally import Tally


@dataclass(frozen=True, slots=True)
class Ending:
    """The counts of a complete run, and the columns of its output."""

    tally: Tally
    names: ReportNames

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        return cls(outcome.tally, outcome.names)

    @classmethod
    def load(cls, folder: Folder) -> Self | None:
        """What an earlier runner saved; None if it never came so far."""
        kept = folder.ending()
        if kept is None:
            return None
        tally = Tally.carried_on(kept["tally"])
        tally.runs -= 1  # this one reads no rows
        tally.stop()
        return cls(tally, ReportNames(**kept["names"]))

    def save(self, folder: Folder) -> None:
        folder.note_ending({"tally": self.tally.as_json(), "names": asdict(self.names)})
