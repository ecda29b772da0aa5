"""Processes that do not outlive the one that started them, not even when it dies by kill -9.

The kernel of Linux sees to it; elsewhere a process only ends at once if its parent has gone already.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1

# Loaded before any fork: between fork and exec nothing may take a lock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def end_with(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """From now on this process gets the signal ``number`` when ``parent``, which started it, ends."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(128 + number)  # it ended in between


def ends_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """A ``preexec_fn``: the child gets the signal ``number`` when the process that calls this ends.

    The kernel watches the *thread* that forks: start children from the main thread.
    """
    parent = os.getpid()
    return lambda: end_with(parent, number)
