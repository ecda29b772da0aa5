"""Archives over HTTP: received to disk, classified by processes of their own, downloaded when they are done."""

from __future__ import annotations

from web.archives.archives import Archives
from web.archives.child import Command

__all__ = ["Archives", "Command"]
