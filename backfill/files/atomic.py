"""Files that are replaced as a whole: whoever reads one finds the old content or the new, never a part."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def atomic_write(path: Path, content: bytes) -> None:
    """``path`` holds ``content``, which is safe on disk before it gets the name.

    Raises:
        OSError: it stays as it was.
    """
    beside = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def sync_folder(path: Path) -> None:
    """A name that was made or replaced in this folder survives a crash of the machine."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
