"""What is left to tell when an archive is classified; kept, so that a crash in its report repeats only the report."""

from __future__ import annotations

from dataclasses import asdict

from sluice.backfill.archive.folder import Folder
from sluice.backfill.engine import BackfillResult
from sluice.backfill.report.names import ReportNames
from sluice.backfill.run.stats import RunStats


def save(folder: Folder, result: BackfillResult) -> None:
    folder.note_ending({"tally": result.stats.as_json(), "names": asdict(result.names)})


def load(folder: Folder) -> BackfillResult | None:
    """What an earlier runner saved; None if it never came so far."""
    kept = folder.ending()
    if kept is None:
        return None
    stats = RunStats.carried_on(kept["tally"])
    stats.runs -= 1  # this one reads no rows
    stats.stop()
    return BackfillResult(stats, ReportNames(**kept["names"]))
