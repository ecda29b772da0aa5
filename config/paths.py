"""Where Sluice's own files lie, in a checkout and installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import sluice

#: Holds ``models`` and ``samples``: the checkout, or the installed package itself.
ROOT = Path(__file__).resolve().parents[1]
#: The folder from which ``import sluice`` came.
IMPORTED_FROM = Path(sluice.__file__).resolve().parents[1]
IN_CHECKOUT = (IMPORTED_FROM / "pyproject.toml").is_file()


def python_path(env: Mapping[str, str]) -> str:
    """``PYTHONPATH`` for a child of ours: it imports the very code that runs here.

    What is installed is found without, and its folder would come before Python's own library.
    """
    return os.pathsep.join(part for part in (str(IMPORTED_FROM) if IN_CHECKOUT else "", env.get("PYTHONPATH")) if part)
