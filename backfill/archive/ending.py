"""What is left to tell when an archive is classified; kept, so that a crash in its report repeats only the report."""

from __future__ import annotations

from dataclasses import asdict

from sluice.backfill.archive.folder import Folder
from sluice.backfill.engine import Outcome
from sluice.backfill.report.names import ReportNames
from sluice.backfill.tally import Tally


def save(folder: Folder, outcome: Outcome) -> None:
    folder.note_ending({"tally": outcome.tally.as_json(), "names": asdict(outcome.names)})


def load(folder: Folder) -> Outcome | None:
    """What an earlier runner saved; None if it never came so far."""
    kept = folder.ending()
    if kept is None:
        return None
    tally = Tally.carried_on(kept["tally"])
    tally.runs -= 1  # this one reads no rows
    tally.stop()
    return Outcome(tally, ReportNames(**kept["names"]))
