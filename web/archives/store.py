"""All archives of this machine: one folder each, in one place, shared by every web process."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sluice.backfill.archive.folder import TRASH, Description, Folder, Progress
from sluice.backfill.files.lock import Lock
from sluice.tasks.errors import Conflict, NotFound, QueueFull, UnwritableOutput

PREFIX = "archive-"
ID = r"archive-[0-9a-f]{32}"
INCOMING = ".incoming-"
#: Seconds for which a folder may be one that is just being made, whose lock nobody shall touch.
MAKING_S = 60.0
FULL_RETRY_S = 60.0
ACCEPT_WAIT_S = 5.0
POLL_S = 0.02


class ArchiveStore:
    """The folders under ``root``; none of its methods waits for an upload or for a runner.

    Args:
        most: folders that it holds; more are refused.
        ttl_s: seconds that an archive is kept after its end, or after its upload if it never ran or was cancelled.
    """

    def __init__(self, root: Path, most: int, ttl_s: float) -> None:
        self.root = root
        self._most = most
        self._ttl_s = ttl_s

    @contextmanager
    def incoming(self) -> Iterator[Folder]:
        """A new folder for an upload; it goes when the block ends, unless it was accepted by then.

        Raises:
            QueueFull: there are as many archives as there may be.
            UnwritableOutput: the folder cannot be made.
        """
        self._require_room()
        folder = Folder(self.root / f"{INCOMING}{uuid4().hex}")
        try:
            for path in (self.root.parent, self.root, folder.path):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)  # of several new ones, only the last gets the mode
            lock = folder.lock()
            folder.uploads.mkdir(mode=0o700)
        except OSError as exc:
            raise UnwritableOutput(f"the server cannot keep archives ({exc.strerror})") from exc
        try:
            yield folder
        finally:
            if lock is not None:
                lock.close()
            shutil.rmtree(folder.path, ignore_errors=True)

    def accept(self, incoming: Folder, description: Description) -> Folder:
        """Put an upload in the store: from now on it is an archive.

        Returns:
            Its folder, or that of the archive that came earlier with the same Idempotency-Key and the same body.

        Raises:
            Conflict: the key came with another body.
            QueueFull: the store has filled meanwhile.
        """
        with self._one_at_a_time():
            earlier = self._holder(description)
            if earlier is not None:
                return earlier
            self._require_room()
            incoming.describe(description)
            folder = Folder(self.root / f"{PREFIX}{uuid4().hex}")
            incoming.path.rename(folder.path)
            return folder

    def find(self, archive_id: str) -> tuple[Folder, Description, Progress]:
        """An archive and how far it is; ``cancelled`` from the moment when that was asked for.

        Raises:
            NotFound: there is none, or its time is over.
        """
        folder = Folder(self.root / archive_id)
        try:
            if not re.fullmatch(ID, archive_id):
                raise FileNotFoundError
            # In this order: of a folder that goes in between, no progress would look like none so far.
            progress, description = folder.progress(), folder.description()
        except FileNotFoundError:
            raise _gone() from None
        if self.expired(description, progress):
            raise _gone()
        if (asked_at := folder.cancelled_at) is not None:
            progress.state, progress.finished_at = "cancelled", asked_at
        return folder, description, progress

    def folders(self) -> list[Folder]:
        """Every archive."""
        try:
            return [Folder(path) for path in self.root.iterdir() if re.fullmatch(ID, path.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def expired(self, description: Description, progress: Progress) -> bool:
        """Whether its time is over. One that runs stays until it has come to an end."""
        if progress.state == "running":
            return False
        ended = progress.finished_at if progress.state in ("done", "failed") else None
        return time.time() > (ended or description.created_at) + self._ttl_s

    def sweep(self) -> None:
        """Delete what uploads and deletions left behind when their process died."""
        try:
            left = [path for path in self.root.iterdir() if path.name.startswith((INCOMING, TRASH))]
        except (FileNotFoundError, NotADirectoryError):
            return
        for path in left:
            with _shared_disk():
                if time.time() - path.stat().st_mtime > MAKING_S:
                    self._sweep(path)

    def _sweep(self, path: Path) -> None:
        """Delete a leftover, unless an upload is still filling it."""
        lock = Folder(path).lock() if path.name.startswith(INCOMING) else None
        if lock is not None or path.name.startswith(TRASH):
            shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            lock.close()

    def _holder(self, description: Description) -> Folder | None:
        if description.key is None:
            return None
        for folder in self.folders():
            with _shared_disk():
                other = folder.description()
                if other.key != description.key or self.expired(other, folder.progress()):
                    continue
                if other.body != description.body:
                    raise Conflict(
                        "this Idempotency-Key was used before with another body", {"field": "Idempotency-Key"}
                    )
                return folder
        return None

    def _require_room(self) -> None:
        kept = len(self.folders())
        if kept >= self._most:
            raise QueueFull(
                f"{kept} archives are kept, the limit is {self._most}; DELETE those that are not needed",
                {"kept": kept, "limit": self._most},
                retry_after_s=FULL_RETRY_S,
            )

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        ends = time.monotonic() + ACCEPT_WAIT_S
        while (lock := Lock.try_take(self.root / ".accept")) is None:
            if time.monotonic() > ends:
                raise UnwritableOutput("the server cannot keep archives now")
            time.sleep(POLL_S)
        with lock:
            yield


@contextmanager
def _shared_disk() -> Iterator[None]:
    """Other processes delete folders too: what is gone in the middle of a look is just gone."""
    try:
        yield
    except FileNotFoundError:
        return


def _gone() -> NotFound:
    return NotFound("there is no such job, or its results have expired", {"field": "id"})
