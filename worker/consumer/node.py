"""Celery's worker program, with a node name of its own: two workers on one host are two, wherever workers are shown."""

from __future__ import annotations

import secrets

from celery import Celery
from celery.apps import worker
from celery.utils.nodenames import default_nodename, gethostname


class Worker(worker.Worker):
    def __init__(self, app: Celery | None = None, hostname: str | None = None, **options: object) -> None:
        super().__init__(app, node_name(hostname), **options)


def node_name(given: str | None) -> str:
    """``given``, unless it is empty or what Celery calls every worker of this host.

    Random and not counted: hosts of one name, containers and process ids of one number are common.
    """
    if given and given != default_nodename(None):
        return given
    return f"sluice-{secrets.token_hex(3)}@{gethostname()}"
