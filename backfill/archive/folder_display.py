"""Tells whoever asks over HTTP how far an archive is, through its folder."""

from __future__ import annotations

import time
from contextlib import suppress

from sluice.backfill.archive.folder import Folder, Progress
from sluice.backfill.archive.wording import said
from sluice.backfill.run.facts import Note
from sluice.backfill.run.stats import RunStats

WRITE_EVERY_S = 1.0
#: Seconds for which a sentence is shown after it was said last.
NOTE_S = 5.0


class FolderDisplay:
    """A ``sluice.backfill.run.display.Display`` that writes ``progress.json``."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._progress = folder.progress()
        self._written = self._noted = float("-inf")

    def update(self, share: float, stats: RunStats) -> None:
        now = time.monotonic()
        if now - self._noted > NOTE_S:
            self._progress.note = None
        counted(self._progress, stats, share)
        if stats.rows:
            self._progress.state = "running"
        if now - self._written >= WRITE_EVERY_S:
            self._write(now)

    def words(self, note: Note) -> str:
        return said(note)

    def note(self, sentence: str) -> None:
        now = time.monotonic()
        sentence = said(sentence)
        fresh = self._progress.note != sentence
        self._progress.note, self._noted = sentence, now
        if fresh:
            self._write(now)

    def _write(self, now: float) -> None:
        self._written = now
        with suppress(OSError):  # a full disk stops the output, which says so
            self._folder.note_progress(self._progress)


def counted(progress: Progress, stats: RunStats, share: float) -> Progress:
    """``progress`` with the counts of ``stats`` in it."""
    progress.done, progress.failed = stats.rows, stats.errors.total()
    progress.labels, progress.saved = dict(stats.labels), stats.saved
    progress.rows_per_s, progress.share = round(stats.rate, 1), round(share, 4)
    return progress
