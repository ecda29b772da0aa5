"""What a process that reads files from strangers may use."""

from __future__ import annotations

import os
import resource

#: Below the web process and the workers of the same machine.
NICENESS = 5
#: Bytes of address space; what needs more is no archive. A run is measured at a tenth of it.
ADDRESS_SPACE = 4 * 1024**3


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
