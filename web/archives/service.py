"""Takes archives in and answers for them, for the request threads of one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from flask import Request

from sluice.backfill.archive.folder import Description, Folder, Progress
from sluice.config.settings import Settings
from sluice.tasks.errors import BrokerUnavailable, NotFound, QueueFull
from sluice.web.archives.form import Form, require_space, too_large
from sluice.web.archives.runner_process import RunnerCommand, check
from sluice.web.archives.store import ArchiveStore
from sluice.web.gateway.job_store import position
from sluice.web.http.body import Readable, as_schema, discard
from sluice.web.http.errors import invalid, problem
from sluice.web.schemas.archives import ArchiveRequest

#: Uploads that one process receives at once, and refused ones whose rest it reads: each holds a thread for as long as
#: its caller takes, and the others shall not notice.
UPLOADS_AT_ONCE = 16
THREADS_LEFT = 4
#: Processes that look at uploads at once, each with the memory of a small library.
CHECKS_AT_ONCE = 2
BUSY_RETRY_S = 5.0
#: Bytes of a body that are no file: fields, headers and boundaries.
AROUND_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive as it is now."""

    folder: Folder
    description: Description
    progress: Progress

    @property
    def report_expected(self) -> bool:
        """Whether the report is there or being written."""
        return self.folder.report.is_file() or (self.description.report and self.folder.reporting)

    @property
    def position(self) -> str:
        """Its position in its caller's list of jobs."""
        return position(self.folder.id, self.description.created_at)


class ArchiveService:
    """Receives, shows and cancels archives.

    Args:
        store: where they are.
        command: what examines an upload.
    """

    def __init__(self, settings: Settings, store: ArchiveStore, command: RunnerCommand) -> None:
        self._settings = settings
        self._store = store
        self._command = command
        at_once = max(1, min(UPLOADS_AT_ONCE, settings.web_threads // THREADS_LEFT))
        self._uploads = threading.BoundedSemaphore(at_once)
        self._refused = threading.BoundedSemaphore(at_once)
        self._checks = threading.BoundedSemaphore(CHECKS_AT_ONCE)
        self._stopping = threading.Event()

    def submit(
        self, stream: Readable, boundary: bytes, length: int | None, key: str | None, owner: str = ""
    ) -> Archive:
        """Receive an upload and put it in the store.

        Args:
            stream: the body.
            length: its bytes, if they are declared.
            key: digest of the caller's Idempotency-Key.
            owner: stands for the caller, in whose list the archive is.

        Raises:
            TooLarge, InvalidInput, BadRequest: the body is not what it should be.
            UnknownFormat, UnreadableArchive: its files are not.
            QueueFull, InsufficientStorage, UnwritableOutput: there is no room for it.
            Conflict: the key was used with another body.
        """
        limit = self._settings.max_archive_bytes
        if length is not None and length > limit + AROUND_BYTES:
            raise too_large(limit)
        with self._upload(), self._store.incoming() as folder:
            require_space(folder.path, 2 * (length or 0))  # for the result too
            form = Form(folder.uploads, limit, _checked)
            form.read(stream, boundary, self._going_on)
            if not form.names:
                raise invalid([problem("file", "is required")])
            description = self._described(_checked(form.fields), form, key, owner)
            folder.describe(description)
            with self._checks:
                check(self._command, folder, self._settings)
            accepted = self._store.accept(folder, replace(description, created_at=time.time()))
        return self.find(accepted.id)

    def discard(self, asked: Request, stream: Readable) -> None:
        """Read the rest of a refused body, unless as many others are being read: each may take for ever."""
        if self._refused.acquire(blocking=False):
            try:
                discard(asked, stream)
            finally:
                self._refused.release()

    def find(self, archive_id: str) -> Archive:
        """An archive; NotFound."""
        return Archive(*self._store.find(archive_id))

    def listed(self, owner: str, before: str | None) -> list[Archive]:
        """The archives of a caller, in no order, as far as they are behind a position."""
        found = []
        for folder in self._store.folders():
            with suppress(NotFound):
                archive = self.find(folder.id)
                if archive.description.owner == owner and (before is None or archive.position < before):
                    found.append(archive)
        return found

    def cancel(self, archive_id: str) -> Archive:
        """Stop an archive and delete what there is of it; one that is finished goes as a whole. NotFound."""
        found = self.find(archive_id)
        if found.progress.finished and not found.folder.cancelled:
            found.folder.remove()
            return found
        try:
            found.folder.cancel()
        except FileNotFoundError:
            return found  # somebody else was quicker
        if lock := found.folder.lock():
            with lock:
                found.folder.finish(found.folder.progress().end("cancelled"))
        found.progress.state, found.progress.finished_at = "cancelled", found.folder.cancelled_at or time.time()
        return found

    def stop(self) -> None:
        """Uploads under way are refused; for shutdown."""
        self._stopping.set()

    def _described(self, request: ArchiveRequest, form: Form, key: str | None, owner: str) -> Description:
        return Description(
            created_at=time.time(),
            names=form.names,
            plain=form.plain,
            output=request.output,
            max_text_chars=self._settings.max_text_chars,
            read=request.read(),
            scores=request.scores == "true",
            verdict=request.verdict == "true" or self._settings.verdict,
            report=request.report == "true",
            key=key,
            body=form.digest if key else None,
            owner=owner,
        )

    @contextmanager
    def _upload(self) -> Iterator[None]:
        if not self._uploads.acquire(blocking=False):
            raise QueueFull("too many archives are being uploaded at once", retry_after_s=BUSY_RETRY_S)
        try:
            yield
        finally:
            self._uploads.release()

    def _going_on(self) -> None:
        if self._stopping.is_set():
            raise BrokerUnavailable("this server is stopping", retry_after_s=1)


def _checked(fields: dict[str, str]) -> ArchiveRequest:
    """The fields as a schema; a form sends what was left empty as an empty string. InvalidInput."""
    return as_schema(ArchiveRequest, {name: value for name, value in fields.items() if value})
