"""The parts of ``sluice.web.archives``, joined for one process."""

from __future__ import annotations

from flask import Blueprint

from sluice.config.settings import Settings
from sluice.web.archives.routes import as_json, blueprint
from sluice.web.archives.runner_process import RunnerCommand
from sluice.web.archives.service import ArchiveService
from sluice.web.archives.store import ArchiveStore
from sluice.web.archives.supervisor import RunnerSupervisor
from sluice.web.http.auth import Guard
from sluice.web.routes.job_list import Rows, Source


class Archives:
    """Routes, service and supervisor over one store; touches no disk before it is used.

    Args:
        command: runs the processes that read what was uploaded.
    """

    def __init__(self, settings: Settings, command: RunnerCommand) -> None:
        store = ArchiveStore(settings.archives, settings.max_archives, settings.archive_ttl_s)
        self._service = ArchiveService(settings, store, command)
        self._supervisor = RunnerSupervisor(settings, store, command)

    def blueprint(self, guard: Guard) -> Blueprint:
        return blueprint(self._service, self._supervisor, guard)

    def listed(self, owner: str) -> Source:
        """The archives of a caller, as a source of ``GET /jobs``."""

        def rows(before: str | None, count: int) -> Rows:
            found = [(archive.position, as_json(archive)) for archive in self._service.listed(owner, before)]
            return sorted(found, key=lambda row: row[0], reverse=True)[:count]

        return rows

    def start(self) -> None:
        """Carry on with what is in the store, in the process that serves; without it, the first upload does that."""
        self._supervisor.start()

    def stop(self) -> None:
        """Refuse uploads under way and let runners write their checkpoints; returns at once."""
        self._service.stop()
        self._supervisor.stop()
