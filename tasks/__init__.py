"""What every part shares: the Celery app, the envelope on the wire, the errors.

``tasks.celery`` is the Celery app (``celery -A tasks …``) and ``tasks.classify`` the task, for any Celery client:
``from tasks import classify; classify.delay("text").get()``. Both are made on first use, so that importing a
module of this package reads no settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery import Celery, Task

    celery: Celery
    classify: Task


def __getattr__(name: str) -> Any:
    if name not in ("celery", "classify"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from config.settings import SettingsError, current
    from tasks.app import make_celery
    from tasks.envelope import TASK_NAME

    try:
        app = globals().setdefault("celery", make_celery(current()))
    except SettingsError as exc:
        raise SystemExit(f"sluice: {exc}") from None
    globals()["classify"] = app.tasks[TASK_NAME]
    return globals()[name]
