"""Child processes: how to start ``sluice`` itself, and how none of them outlives its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping

from sluice.config.paths import python_path

PR_SET_PDEATHSIG = 1
#: Set for the parts of a service: what concerns its settings has been said.
PART = "_SLUICE_PART"

# Loaded before any fork: between fork and exec nothing may take a lock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def ends_with_parent(number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """A ``preexec_fn``: the kernel sends the child ``number`` when its parent ends, even by kill -9.

    Linux only; elsewhere it does nothing. The kernel watches the *thread* that forks: start children from the
    main thread.
    """
    parent = os.getpid()

    def prepare() -> None:
        if _libc is None:
            return
        _libc.prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(1)  # the parent ended between fork and prctl

    return prepare


def sluice(*arguments: str) -> list[str]:
    """The command line of ``sluice`` in this very environment; run it with ``environment()``."""
    # -P: a module in the working directory must not pass for one of ours.
    return [sys.executable, "-P", "-m", "sluice.cli", *arguments]


def environment(base: Mapping[str, str] | None = None, **changes: str) -> dict[str, str]:
    """``base``, or this process's environment, for a child of ours: it finds our packages and prints at once."""
    env = dict(os.environ if base is None else base)
    return env | {"PYTHONPATH": python_path(env), "PYTHONUNBUFFERED": "1"} | changes
