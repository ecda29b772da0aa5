"""Archives over HTTP: received to disk, classified by processes of their own, downloaded when they are done."""

from __future__ import annotations

from sluice.web.archives.archives import Archives
from sluice.web.archives.runner_process import RunnerCommand

__all__ = ["Archives", "RunnerCommand"]
