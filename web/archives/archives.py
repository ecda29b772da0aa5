"""The parts of ``sluice.web.archives``, joined for one process."""

from __future__ import annotations

from flask import Blueprint

from sluice.config.settings import Settings
from sluice.web.archives.child import Command
from sluice.web.archives.desk import ArchiveDesk
from sluice.web.archives.keeper import Keeper
from sluice.web.archives.routes import as_json, blueprint
from sluice.web.archives.shelf import Shelf
from sluice.web.auth import Guard
from sluice.web.joblist import Rows, Source


class Archives:
    """Routes, desk and keeper over one shelf; touches no disk before it is used.

    Args:
        command: runs the processes that read what was uploaded.
    """

    def __init__(self, settings: Settings, command: Command) -> None:
        shelf = Shelf(settings.archives, settings.max_archives, settings.archive_ttl_s)
        self._desk = ArchiveDesk(settings, shelf, command)
        self._keeper = Keeper(settings, shelf, command)

    def blueprint(self, guard: Guard) -> Blueprint:
        return blueprint(self._desk, self._keeper, guard)

    def listed(self, owner: str) -> Source:
        """The archives of a caller, as a source of ``GET /jobs``."""

        def rows(before: str | None, count: int) -> Rows:
            found = [(archive.position, as_json(archive)) for archive in self._desk.listed(owner, before)]
            return sorted(found, key=lambda row: row[0], reverse=True)[:count]

        return rows

    def start(self) -> None:
        """Carry on with what is on the shelf, in the process that serves; without it, the first upload does that."""
        self._keeper.start()

    def stop(self) -> None:
        """Refuse uploads under way and let runners write their checkpoints; returns at once."""
        self._desk.stop()
        self._keeper.stop()
