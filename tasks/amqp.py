"""Celery's message builder, with one change: no text of an SMS in the headers.

Celery puts ``repr(args)`` into every message's headers, for Flower and ``inspect``. Here the call's message count
stands in its place, whichever way the message is sent (``delay``, ``send_task``, ``celery call``).
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.app.amqp import AMQP, task_message

from sluice.tasks.envelope import TASK_NAME, describe
from sluice.tasks.transport import ServiceConnection


class PrivateAMQP(AMQP):
    Connection = ServiceConnection

    def __init__(self, app: Celery) -> None:
        super().__init__(app)
        # Protocol 1 would carry the arguments where events show them, so every message is built as protocol 2.
        self.task_protocols = {1: self.as_task_v2, 2: self.as_task_v2}

    def as_task_v2(
        self, task_id: str, name: str, args: Any = None, kwargs: Any = None, *rest: Any, **options: Any
    ) -> task_message:
        if name == TASK_NAME:
            options["argsrepr"] = describe(args or (), kwargs)
            options["kwargsrepr"] = "{}"
        return super().as_task_v2(task_id, name, args, kwargs, *rest, **options)
