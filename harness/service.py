"""A web process and a worker, as a caller finds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice.harness.web import Web
from sluice.harness.worker import Worker


@contextmanager
def running(folder: Path, env: dict[str, str]) -> Iterator[Web]:
    """The web process once the service can classify; both must stop cleanly in the end."""
    worker, front = Worker(folder, env), Web(folder, env)
    try:
        worker.ready()
        yield front.ready()
    finally:
        status = front.stop(), worker.stop()
    assert status == (0, 0), front.output() + worker.output()
