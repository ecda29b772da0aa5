"""Child processes: how to start ``sluice`` itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from sluice.config.paths import python_path

#: Set for the parts of a service: what concerns its settings has been said.
PART = "_SLUICE_PART"


def sluice(*arguments: str) -> list[str]:
    """The command line of ``sluice`` in this very environment; run it with ``environment()``."""
    # -P: a module in the working directory must not pass for one of ours.
    return [sys.executable, "-P", "-m", "sluice.cli", *arguments]


def environment(base: Mapping[str, str] | None = None, /, **changes: str) -> dict[str, str]:
    """``base``, or this process's environment, for a child of ours: it finds our packages and prints at once."""
    env = dict(os.environ if base is None else base)
    return env | {"PYTHONPATH": python_path(env), "PYTHONUNBUFFERED": "1"} | changes
