"""Sees to it that every archive has a runner, whoever died, and that none is kept for longer than it should be."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sluice.backfill.archive.folder import Description, Folder, Starts
from sluice.backfill.files.lock import Lock
from sluice.config.settings import Settings
from sluice.web.archives.runner_process import RunnerCommand, start
from sluice.web.archives.store import ArchiveStore

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
POLL_S = 0.1
#: Runners that may die in a row without getting further; then the archive has failed.
MAX_STARTS = 5
#: Seconds that a runner has to write its checkpoint when this process stops.
STOP_S = 10.0
GIVEN_UP = f"the process that classifies it ended unexpectedly {MAX_STARTS} times without getting further"


@dataclass(frozen=True, slots=True)
class Runner:
    """A child that works on an archive."""

    process: subprocess.Popen[bytes]
    folder: Folder


class RunnerSupervisor:
    """One thread that looks after the store, beside the supervisors of other processes.

    Whoever gets an archive's lock starts its runner, which then holds the lock itself; so an archive never has two.
    The lock of one of ``archives_at_once`` slots goes with it.
    """

    def __init__(self, settings: Settings, store: ArchiveStore, command: RunnerCommand) -> None:
        self._settings = settings
        self._store = store
        self._command = command
        self._runners: list[Runner] = []
        self._wake = threading.Event()
        self._stopping = False
        self._starting = threading.Lock()
        self._pid = 0

    def start(self) -> None:
        """Start the thread, once in each process."""
        with self._starting:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                # No daemon: a process that ends by itself waits for the runner to write its checkpoint.
                threading.Thread(target=self._run, name="sluice-archives").start()

    def wake(self) -> None:
        """There is something to do."""
        self.start()
        self._wake.set()

    def stop(self) -> None:
        """Stop the runners of this process and end the thread; returns at once."""
        self._stopping = True
        self._wake.set()

    def _run(self) -> None:
        main = threading.main_thread()
        while not self._stopping and main.is_alive():
            try:
                self.look()
            except Exception as exc:
                log.error("looking after the archives: %s", _reason(exc))
            self._pause()
        self._stop_runners()

    def _pause(self) -> None:
        """Until the next look is due, something is to be done, or a runner ends and leaves its slot."""
        ends = time.monotonic() + LOOK_EVERY_S
        while time.monotonic() < ends and not self._wake.wait(POLL_S):
            if any(runner.process.poll() is not None for runner in self._runners):
                break
        self._wake.clear()

    def look(self) -> None:
        """One look at everything."""
        self._runners = [runner for runner in self._runners if not _ended(runner)]
        self._store.sweep()
        waiting = sorted(self._waiting(), key=lambda pair: pair[1].created_at)
        for folder, _ in waiting:
            try:
                if not self._begin(folder):
                    return
            except Exception as exc:  # the others are no worse for it
                log.error("%s: %s", folder.id, _reason(exc))

    def _waiting(self) -> Iterator[tuple[Folder, Description]]:
        """Archives that are not finished; those whose time is over or that were cancelled are seen to on the way."""
        for folder in self._store.folders():
            try:
                description, progress = folder.description(), folder.progress()
                expired = self._store.expired(description, progress)
                if folder.cancelled or expired:
                    self._put_away(folder, expired)
                elif not progress.finished or folder.reporting:
                    yield folder, description
            except FileNotFoundError:
                continue  # another process was quicker
            except Exception as exc:
                log.error("%s: %s", folder.id, _reason(exc))

    def _put_away(self, folder: Folder, expired: bool) -> None:
        lock = folder.lock()
        if lock is None:
            if expired:
                folder.cancel()  # its runner will be gone soon
            return
        with lock:
            # Read again: who had the lock until now may have seen to it.
            progress = folder.progress()
            if folder.cancelled:
                folder.finish(progress.end("cancelled"))
            elif self._store.expired(folder.description(), progress):
                folder.remove()
                log.info("%s: deleted, its time is over", folder.id)

    def _begin(self, folder: Folder) -> bool:
        """Start a runner unless one is at work; False when every slot is taken."""
        lock = folder.lock()
        if lock is None:
            return True
        with lock:
            progress, starts = folder.progress(), folder.starts()
            if (progress.finished and not folder.reporting) or folder.cancelled:
                return True
            if progress.done > starts.done:
                starts = Starts()
            if starts.count >= MAX_STARTS:
                log.error("%s: given up: %s", folder.id, GIVEN_UP)
                if not progress.finished:
                    progress.end("failed", {"code": "internal_error", "message": GIVEN_UP})
                progress.note = None
                folder.finish(progress)
                return True
            if time.time() < starts.at + starts.count:
                return True  # it has just died: other archives first
            slot = self._slot()
            if slot is None:
                return False
            with slot:
                folder.note_starts(Starts(starts.count + 1, progress.done, time.time()))
                held = (lock.fileno(), slot.fileno())
                self._runners.append(Runner(start(self._command, folder, self._settings, held), folder))
                log.info("%s: started", folder.id)
        return True

    def _slot(self) -> Lock | None:
        taken = (Lock.try_take(self._store.root / f".slot-{n}") for n in range(self._settings.archives_at_once))
        return next((lock for lock in taken if lock is not None), None)

    def _stop_runners(self) -> None:
        for runner in self._runners:
            runner.process.terminate()
        ends = time.monotonic() + STOP_S
        for runner in self._runners:
            try:
                runner.process.wait(max(0.1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                runner.process.kill()
                runner.process.wait()


def _reason(exc: Exception) -> str:
    """What an operator needs to know; no message, which could quote a text."""
    kind = type(exc).__name__
    return f"{kind} ({os.strerror(exc.errno)})" if isinstance(exc, OSError) and exc.errno else kind


def _ended(runner: Runner) -> bool:
    status = runner.process.poll()
    if status:
        log.warning("%s: its process ended with %d", runner.folder.id, status)
    return status is not None
