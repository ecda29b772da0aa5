"""Classifies one uploaded archive, from wherever an earlier runner left it."""

from __future__ import annotations

import logging
import os
import time
import traceback
from functools import partial

from sluice.backfill import engine
from sluice.backfill.archive import ending
from sluice.backfill.archive.folder import REPORTING, Folder, Progress, Starts
from sluice.backfill.archive.folder_display import FolderDisplay, counted
from sluice.backfill.archive.plan import plan_of
from sluice.backfill.archive.wording import said, words
from sluice.backfill.clients.queue import QueueClient
from sluice.backfill.engine import BackfillResult
from sluice.backfill.run.plan import Plan
from sluice.backfill.run.stats import RunStats
from sluice.backfill.run.stop import Stop, Stopped
from sluice.config.settings import Settings
from sluice.tasks.errors import (
    BackendUnavailable,
    BrokerUnavailable,
    ModelUnavailable,
    ServiceNotRunning,
    SluiceError,
)

log = logging.getLogger(__name__)

#: Seconds between two tries to reach a broker or a backend that is away: the first time, and at most.
RETRY_S, MAX_RETRY_S = 2.0, 30.0
LOOK_EVERY_S = 0.2
#: Runners that may die in an archive's last steps before it is done without its report.
REPORT_STARTS = 3
NO_REPORT = "the report could not be made"
AWAY = (BrokerUnavailable, BackendUnavailable, ModelUnavailable, ServiceNotRunning)


class FolderStop(Stop):
    """SIGTERM, or the wish of whoever uploaded the archive."""

    def __init__(self, folder: Folder) -> None:
        super().__init__()
        self._folder = folder
        self._looked = 0.0
        self._said = False

    def check(self) -> None:
        super().check()
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY_S and not self._said:
            self._looked = now
            if self._folder.cancelled:
                self._said = True  # once, as a signal
                raise Stopped(0)


def run(folder: Folder, settings: Settings, stop: Stop) -> None:
    """Classify the archive in ``folder`` and note the end there; on a stop it stays as it is, to be carried on."""
    try:
        _run(folder, settings, stop)
    except Stopped:
        if folder.cancelled:
            folder.finish(folder.progress().end("cancelled"))
            log.info("%s: cancelled", folder.id)
        else:
            folder.note_starts(Starts())  # it was asked to stop: no crash
            log.info("%s: stopped, to be carried on", folder.id)
    except FileNotFoundError:
        if folder.path.exists():
            raise
        log.info("%s: deleted while its report was made", folder.id)


def _run(folder: Folder, settings: Settings, stop: Stop) -> None:
    description = folder.description()
    os.chdir(folder.path)
    plan = plan_of(folder, description, settings)
    display = FolderDisplay(folder)
    try:
        result = ending.load(folder) or _classified(folder, plan, settings, display, stop)
    except SluiceError as exc:
        error = {"code": exc.code, "message": said(exc.sentence)}
        folder.finish(folder.progress().end("failed", error))
        log.info("%s: failed: %s", folder.id, exc.code)
        return
    progress = folder.progress()
    if not progress.finished:
        progress = _done(progress, result.stats)
        progress.notes = list(result.stats.notes)
    if description.report:
        # The results are there from now on: nobody need wait for the report who does not want it.
        missing = progress.note
        progress.note = REPORTING
        folder.note_progress(progress)
        made = _report(folder, plan, result, ", ".join(description.names))
        progress.note = missing if made else "; ".join(filter(None, (missing, NO_REPORT)))
    folder.finish(progress)
    log.info("%s: done, %d rows", folder.id, result.stats.rows)


def _classified(folder: Folder, plan: Plan, settings: Settings, display: FolderDisplay, stop: Stop) -> BackfillResult:
    retry_s = RETRY_S
    while True:
        try:
            with QueueClient(settings, options=plan.options, note=display.note, stop=stop) as classifier:
                return engine.run(plan, classifier, display, stop, partial(ending.save, folder))
        except AWAY as exc:
            _wait(display, exc, retry_s, stop)
            retry_s = min(2 * retry_s, MAX_RETRY_S)


def _wait(display: FolderDisplay, error: SluiceError, seconds: float, stop: Stop) -> None:
    display.note(f"{error.message}; waiting for it")
    stop.sleep(seconds)


def _done(progress: Progress, stats: RunStats) -> Progress:
    counted(progress, stats, 1.0).total = stats.rows
    progress.rows_per_s = round(stats.rows / max(stats.seconds, 1e-3), 1)
    progress.end("done")
    if stats.rows and not stats.labels:
        progress.note = f"none of the {stats.rows:,} rows could be classified: the column error says why"
    return progress


def _report(folder: Folder, plan: Plan, result: BackfillResult, title: str) -> bool:
    """Write the report. If that cannot be done, the archive is done without one: the results are what counts."""
    from sluice.backfill.report.page.writer import write_report

    if folder.starts().count > REPORT_STARTS:
        log.error("%s: no report: its runner died while writing it", folder.id)
        return False
    try:
        write_report(
            folder.report,
            plan.target,
            plan.output_format,
            result.names,
            result.stats,
            title=title,
            include_text=False,
            words=words,
        )
    except Exception as exc:  # its message could quote a text
        frames = "".join(traceback.format_tb(exc.__traceback__))
        log.error("%s: no report: %s\n%s", folder.id, type(exc).__name__, frames)
        return False
    return True
