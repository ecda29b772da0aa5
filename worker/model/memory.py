"""Keeps the memory of one batch for the next, where torch takes and returns it by the C library."""

from __future__ import annotations

import ctypes
import platform

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, ARENA_MAX = -1, -2, -3, -8
"""Names of glibc's ``mallopt``."""
SETTINGS = {
    MMAP_THRESHOLD: 32 << 20,  # the most that glibc accepts: smaller blocks come from the heap and go back to it
    TRIM_THRESHOLD: 512 << 20,  # so much may lie free at the heap's end before it is returned
    TOP_PAD: 64 << 20,
    ARENA_MAX: 1,  # the heaps of threads are returned whatever the threshold says; the first one is not
}


def keep() -> bool:
    """Tells glibc to keep freed memory; returns whether it does. Without effect on any other C library.

    By default each large tensor is mapped afresh, and the kernel clears every page of it once more.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    try:
        library = ctypes.CDLL(None)
        return all(library.mallopt(name, value) == 1 for name, value in SETTINGS.items())
    except (OSError, AttributeError):
        return False
