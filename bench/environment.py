"""The environment in which a measurement runs, less the settings of whoever runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sluice.config.settings import OTS_PREFIX, PREFIX


@contextmanager
def without_own_settings() -> Iterator[None]:
    """In this block, and in processes started in it, there are no ``SLUICE_`` and ``OTS_`` variables."""
    mine = {name: value for name, value in os.environ.items() if name.startswith((PREFIX, OTS_PREFIX))}
    for name in mine:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(mine)
