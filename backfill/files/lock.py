"""Who works in a folder: a lock that the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path


class Lock:
    """An exclusive ``flock`` on a file. A child process that inherits ``fileno`` holds it too, until both let go."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def take(cls, path: Path) -> Lock:
        """The lock; never waits.

        Raises:
            BlockingIOError: another process holds it.
            FileNotFoundError: its folder is gone, or it was deleted between two of our steps.
            OSError: its file cannot be made.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before may have deleted the file, and another one may have made it again.
            if not os.path.samestat(os.fstat(fd), path.stat()):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        except BaseException:
            os.close(fd)
            raise
        return cls(fd)

    @classmethod
    def try_take(cls, path: Path) -> Lock | None:
        """As ``take``; None in place of every error."""
        try:
            return cls.take(path)
        except OSError:
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
