"""The folder of one archive: all that is known of it, so that any process may come and go.

==================  ================================================================================
``uploads/file-N``  what was sent, under names of our own; gone when the archive is finished
``archive.json``    ``Description``: what was asked for; never changes
``progress.json``   ``Progress``: written by the runner about once a second
``starts.json``     ``Starts``: how often a runner was started since the last progress
``ending.json``     ``BackfillResult``: what the report needs, as soon as the output is complete; gone after it
``cancel``          there when the archive shall stop and go
``lock``            held by whoever works on the folder
``result.*``        the output, its run's folder beside it until it is complete
``report.html``     the report, if one was asked for
==================  ================================================================================

Files are replaced as a whole, so a reader sees the old one or the new one.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import orjson

from sluice.backfill.files.atomic import atomic_write
from sluice.backfill.files.lock import Lock
from sluice.backfill.outputs.table import suffix_of

FINISHED = frozenset({"done", "failed", "cancelled"})
TRASH = ".trash-"
#: The note of an archive whose results are there already.
REPORTING = "writing the report"


class _Kept:
    """What is kept as a JSON object; fields that a newer or older release does not know are left out."""

    @classmethod
    def loads(cls, packed: bytes) -> Self:
        known = {one.name for one in fields(cls)}  # type: ignore[arg-type]
        return cls(**{name: value for name, value in orjson.loads(packed).items() if name in known})


@dataclass(frozen=True, slots=True)
class Description(_Kept):
    """What was asked for.

    Attributes:
        created_at: Unix seconds.
        names: what the caller calls the files, ``file-1`` first; fit for a screen, never used as paths.
        plain: numbers of the files that were sent as ``text/plain``, which may be so.
        read: the fields of ``sluice.backfill.run.read_options.ReadOptions`` that were given.
        key, body: digests of the Idempotency-Key and of what came with it.
        owner: stands for the caller, in whose list of jobs it is.
    """

    created_at: float
    names: list[str]
    plain: list[int] = field(default_factory=list)
    output: str = "csv"
    max_text_chars: int = 5_000
    read: dict[str, str] = field(default_factory=dict)
    scores: bool = False
    verdict: bool = False
    report: bool = False
    key: str | None = None
    body: str | None = None
    owner: str = ""


@dataclass(slots=True)
class Progress(_Kept):
    """How far an archive is.

    Attributes:
        state: ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
        total: rows; None until all of them have been seen.
        done: rows that are written, those with an error included; ``failed`` are those.
        share: of the input that is read, 0..1.
        saved: rows answered by an identical text of the same archive.
        note: what is being waited for, a sentence; None when nothing is. At the end what is missing.
        notes: what was left out or assumed, sentences; there when all rows are.
        error: ``{"code", "message"}`` of an archive that failed.
        finished_at: Unix seconds.
    """

    state: str = "queued"
    total: int | None = None
    done: int = 0
    failed: int = 0
    share: float = 0.0
    rows_per_s: float = 0.0
    labels: dict[str, int] = field(default_factory=dict)
    saved: int = 0
    note: str | None = None
    notes: list[str] = field(default_factory=list)
    error: dict[str, str] | None = None
    finished_at: float | None = None

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    def end(self, state: str, error: dict[str, str] | None = None) -> Self:
        """This progress as it stays."""
        self.state, self.error, self.finished_at, self.note = state, error, time.time(), None
        return self


@dataclass(frozen=True, slots=True)
class Starts(_Kept):
    """Runners started while ``done`` rows were written, the last one ``at`` (Unix seconds)."""

    count: int = 0
    done: int = 0
    at: float = 0.0


class Folder:
    """One archive's folder. Cheap to make; nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def uploads(self) -> Path:
        return self.path / "uploads"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def cancelled(self) -> bool:
        """Whether the archive shall stop and go."""
        return self.cancelled_at is not None

    @property
    def cancelled_at(self) -> float | None:
        """When that was asked for, Unix seconds; None if it was not."""
        try:
            return (self.path / "cancel").stat().st_mtime
        except OSError:
            return None

    @property
    def reporting(self) -> bool:
        """Whether the results are there and what follows them is not: the report, or the end of the runner."""
        return (self.path / "ending.json").exists() and self.progress().state == "done"

    def result(self, output: str) -> Path:
        return self.path / f"result{suffix_of(output)}"

    def lock(self) -> Lock | None:
        """The right to work on the folder; None when another process has it."""
        return Lock.try_take(self.path / "lock")

    def cancel(self) -> None:
        """Ask whoever works on it to stop; FileNotFoundError when the folder is gone."""
        (self.path / "cancel").touch(mode=0o600)

    def description(self) -> Description:
        """Raises FileNotFoundError when the folder is gone."""
        return Description.loads((self.path / "archive.json").read_bytes())

    def describe(self, description: Description) -> None:
        self._replace("archive.json", asdict(description))

    def progress(self) -> Progress:
        try:
            return Progress.loads((self.path / "progress.json").read_bytes())
        except FileNotFoundError:
            return Progress()

    def note_progress(self, progress: Progress) -> None:
        self._replace("progress.json", asdict(progress))

    def starts(self) -> Starts:
        try:
            return Starts.loads((self.path / "starts.json").read_bytes())
        except FileNotFoundError:
            return Starts()

    def note_starts(self, starts: Starts) -> None:
        self._replace("starts.json", asdict(starts))

    def ending(self) -> dict[str, Any] | None:
        """What was noted when the output was complete; None before that."""
        try:
            kept: dict[str, Any] = orjson.loads((self.path / "ending.json").read_bytes())
        except FileNotFoundError:
            return None
        return kept

    def note_ending(self, ending: dict[str, Any]) -> None:
        self._replace("ending.json", ending)

    def finish(self, progress: Progress) -> None:
        """Note the end, and delete what only the work on it needed; without a result, everything but the note.

        A wish to cancel that came too late for the work stays: who looks after the folder next sees to it.
        """
        kept = {"archive.json", "progress.json", "lock", "cancel"}
        if progress.state == "cancelled":
            progress.finished_at = self.cancelled_at or progress.finished_at
        if progress.state == "done":
            kept |= {self.report.name, self.result(self.description().output).name}
            self.note_progress(progress)
        for path in self.path.iterdir():
            if path.name not in kept:
                _delete(path)
        if progress.state != "done":
            self.note_progress(progress)  # a full disk has room for it now
        if progress.state == "cancelled":
            (self.path / "cancel").unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the folder; at once for those who look, file by file after that."""
        trash = self.path.with_name(f"{TRASH}{uuid4().hex}")
        try:
            self.path.rename(trash)
        except FileNotFoundError:
            return
        shutil.rmtree(trash, ignore_errors=True)

    def _replace(self, name: str, value: dict[str, Any]) -> None:
        atomic_write(self.path / name, orjson.dumps(value))


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
