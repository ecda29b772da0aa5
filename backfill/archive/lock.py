"""Who works on an archive: a lock that the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Lock:
    """An exclusive ``flock`` on a file. A child process that inherits ``fileno`` holds it too, until both let go."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def take(cls, path: Path) -> Lock | None:
        """The lock, or None if it is held or its folder is gone; never waits."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before may have deleted the file between our two steps.
            if path.stat().st_ino == os.fstat(fd).st_ino:
                return cls(path, fd)
        except OSError:
            pass
        os.close(fd)
        return None

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        """Let go, unless a child still holds it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
