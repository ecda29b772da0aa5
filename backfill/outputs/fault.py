"""What goes wrong while an output is written, said in one sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice.backfill.run.facts import Option, Reason
from sluice.tasks.errors import UnwritableOutput
from sluice.tasks.sentence import Sentence


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Whatever the system or SQLite has against ``path`` becomes an ``UnwritableOutput``.

    Raises:
        UnwritableOutput: folder absent, no permission, disk full.
    """
    try:
        yield
    except OSError as exc:
        raise UnwritableOutput(f"{path} cannot be written ({exc.strerror or exc})") from exc
    except sqlite3.Error as exc:
        raise UnwritableOutput(Sentence("{path} cannot be written ({reason})", path=path, reason=Reason(exc))) from exc


def lost(path: Path) -> UnwritableOutput:
    """The error of a partial file that holds less than its checkpoint says."""
    return UnwritableOutput(
        Sentence(
            "{path} holds less than its checkpoint says: start the backfill afresh with {restart}",
            path=path,
            restart=Option.RESTART,
        )
    )
