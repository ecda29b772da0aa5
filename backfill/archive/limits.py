"""What a process that reads files from strangers may use, and whom it does not outlive."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

#: Below the web process and the workers of the same machine.
NICENESS = 5
#: Bytes of address space; what needs more is no archive. A run is measured at a tenth of it.
ADDRESS_SPACE = 4 * 1024**3
PR_SET_PDEATHSIG = 1


def apply(file_bytes: int) -> None:
    """Lower the priority, bound the memory and the size of any one file written, and leave no core file of texts."""
    os.nice(NICENESS)
    for what, most in (
        (resource.RLIMIT_AS, ADDRESS_SPACE),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def end_with(parent: int) -> None:
    """From now on the kernel sends this process SIGTERM when ``parent`` dies, even by kill -9. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)  # it died in between
