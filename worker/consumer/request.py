"""Celery's view of one received envelope, with nothing of its texts to show."""

from __future__ import annotations

import time
from typing import Any

from celery import Celery, Task
from celery.utils.log import get_logger
from celery.worker import state as worker_state
from celery.worker.request import Request
from celery.worker.state import task_accepted

from sluice.tasks.envelope import describe
from sluice.worker.consumer.celery_types import Dispatcher, Settle
from sluice.worker.consumer.transport.kombu_types import Entry, Errors, Message, Table
from sluice.worker.engine.mail import InFlightEnvelope

log = get_logger(__name__)

task_scheduled = getattr(worker_state, "task_scheduled", None)  # Celery 5.7

#: Headers that most messages do not fill, and that Celery's own constructor then reads.
UNUSUAL = ("eta", "expires")


class EnvelopeRequest(Request):
    """What ``inspect``, events and logs see of an envelope: its message count in place of its arguments."""

    def __init__(self, message: Message, **options: Any) -> None:
        headers = options["headers"]
        if options["decoded"] or any(map(headers.get, UNUSUAL)):
            super().__init__(message, **options)
        else:
            self._usual(message, **options)

    def _usual(
        self,
        message: Message,
        *,
        headers: Table,
        body: object,
        app: Celery,
        hostname: str,
        eventer: Dispatcher | None,
        task: Task,
        connection_errors: Errors,
        on_ack: Settle,
        on_reject: Settle,
        decoded: bool,
        utc: bool,
    ) -> None:
        """What Celery's own constructor does, for a message without times."""
        self._message, self._body, self._decoded = message, body, decoded
        self._app, self._task, self._hostname, self._utc = app, task, hostname, utc
        self._eventer, self._connection_errors = eventer, connection_errors
        self._on_ack, self._on_reject = on_ack, on_reject
        self._content_type, self._content_encoding = message.content_type, message.content_encoding
        self._Request__payload = payload = message.payload
        self._args, self._kwargs, _ = payload
        self.id, self._type = headers["id"], headers["task"]
        self.name = headers.get("shadow") or self._type
        self._root_id, self._parent_id = headers.get("root_id"), headers.get("parent_id")
        ignore_result = headers.get("ignore_result")
        self._ignore_result = task.ignore_result if ignore_result is None else ignore_result
        self._eta = self._expires = None
        info, properties = message.delivery_info, message.properties
        self._delivery_info = {
            "exchange": info.get("exchange"),
            "routing_key": info.get("routing_key"),
            "priority": properties.get("priority"),
            "redelivered": info.get("redelivered", False),
        }
        self._request_dict = {
            **headers,
            "properties": properties,
            "reply_to": properties.get("reply_to"),
            "correlation_id": properties.get("correlation_id"),
            "hostname": hostname,
            "delivery_info": self._delivery_info,
            "args": self._args,
            "kwargs": self._kwargs,
        }

    @property
    def _argsrepr(self) -> str:
        """Made when someone looks, which is seldom; never what the sender wrote there."""
        return describe(self._args or (), self._kwargs if isinstance(self._kwargs, dict) else None)

    @_argsrepr.setter
    def _argsrepr(self, given: str) -> None:
        pass

    @property
    def _kwargsrepr(self) -> str:
        return "{}"

    @_kwargsrepr.setter
    def _kwargsrepr(self, given: str) -> None:
        pass

    @property
    def listened_to(self) -> bool:
        """Whether anyone wants this envelope's events."""
        return bool(self._eventer and self._eventer.enabled and self._task.send_events)

    def begin(self, pid: int, started: float) -> None:
        """Celery's ``on_accepted``: from now on ``inspect active`` shows it; ``started`` is the monotonic time."""
        self.worker_pid = pid
        self.time_start = time.time() - (time.monotonic() - started)
        task_accepted(self)
        if self.listened_to:
            self.send_event("task-started")

    def waits(self, entry: Entry) -> None:
        """Until its time, which ``entry`` of the timer keeps. It ends with the connection: another delivery follows.

        Celery 5.6 empties its timer then; from 5.7 on it cancels what it knows to be waiting.
        """
        self._eta_timer_entry = entry
        if task_scheduled is not None:
            task_scheduled(self)

    @property
    def embedded(self) -> Table:
        """What the client hung on the result: callbacks, errbacks, chain, chord."""
        embed = self._payload[2]
        return embed if isinstance(embed, dict) else {}

    def info(self, safe: bool = False) -> Table:
        return super().info(safe=True)

    def terminate(self, pool: object, signal: object = None) -> None:
        """An envelope in the model shares its batch with others, so it is not interrupted; one that waits is
        dropped through the set of revoked ids before the model sees it."""
        log.info("%s[%s] is not interrupted if the model has it already", self.name, self.id)

    def cancel(self, pool: object, signal: object = None, emit_retry: bool = True) -> None:
        """Nothing to cancel: what is not finished at a cold shutdown goes back to the broker."""


def request_of(envelope: InFlightEnvelope) -> EnvelopeRequest:
    """The request that an envelope was made from."""
    assert isinstance(envelope.handle, EnvelopeRequest)
    return envelope.handle
