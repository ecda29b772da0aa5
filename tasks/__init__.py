"""What every part shares: the Celery app, the envelope on the wire, the errors.

``sluice.tasks.celery`` is the Celery app (``celery -A sluice.tasks …``; in a checkout ``celery -A tasks …`` too) and
``sluice.tasks.classify`` the task, for any Celery client: ``from sluice.tasks import classify;
classify.delay("text").get()``. Both are made on first use: importing a module of this package reads no settings.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if __name__ == "tasks":  # `celery -A tasks` in a checkout: the one module, by the name of its folder
    sys.modules[__name__] = import_module("sluice.tasks")

if TYPE_CHECKING:
    from celery import Celery, Task

    celery: Celery
    classify: Task


def __getattr__(name: str) -> object:
    if name not in ("celery", "classify"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import logging

    from sluice.config import names
    from sluice.config.settings import SettingsError, current
    from sluice.tasks.app import make_celery
    from sluice.tasks.envelope import TASK_NAME

    try:
        app = globals().setdefault("celery", make_celery(current()))
    except SettingsError as exc:
        raise SystemExit(f"sluice: {exc}") from None
    names.tell_once(logging.getLogger("sluice").warning)
    globals()["classify"] = app.tasks[TASK_NAME]
    return globals()[name]
