"""Rejects what cannot be served: messages of other tasks, unreadable ones, and whatever else a broker may hold.

One that has an id gets its reason as the failure of that id, as any envelope does that cannot run; the others are
deleted. Nothing of a body is ever told.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from celery.utils.log import get_logger
from kombu.exceptions import ContentDisallowed

from sluice.tasks.envelope import TASK_NAME, log_safe
from sluice.tasks.errors import InvalidInput, SluiceError, UnknownTask
from sluice.tasks.outage import is_outage
from sluice.worker.consumer.celery_types import Consumer, MakeHandler
from sluice.worker.consumer.transport.kombu_types import Handler, Headers, Message

log = get_logger(__name__)

#: Seconds in which the same condition is told once.
QUIET_S = 10.0
#: Conditions remembered; a client may invent more.
MOST_CONDITIONS = 1000


class Rejects:
    """Takes the place of what Celery does with messages it cannot handle. Main thread only.

    Args:
        c: Celery's consumer; its own handlers are replaced.
    """

    def __init__(self, c: Consumer) -> None:
        self._c = c
        self._told: dict[str, tuple[float, int]] = {}
        c.on_unknown_message = self._not_a_task
        c.on_unknown_task = self._unknown_task
        c.on_invalid_task = self._invalid
        c.on_decode_error = self._undecodable

    def _not_a_task(self, _body: object, message: Message) -> None:
        self.reject(message, InvalidInput("it is no task message"))

    def _unknown_task(self, _body: object, message: Message, _exc: Exception) -> None:
        task = log_safe(_headers(message).get("task"))
        self.reject(message, UnknownTask(f"this worker has no task {task}, only {TASK_NAME}", {"task": task}))

    def _invalid(self, _body: object, message: Message, exc: Exception) -> None:
        self.reject(message, _unreadable(message, exc))

    def _undecodable(self, message: Message, exc: Exception) -> None:
        self.reject(message, _unreadable(message, exc))

    def guarding(self, make_handler: MakeHandler) -> MakeHandler:
        """Celery's ``create_task_handler`` with handlers that no message can break: it would end this worker, come
        again, and end the next.
        """

        def create_task_handler() -> Handler:
            handle = make_handler()

            def on_task_received(message: Message) -> None:
                try:
                    handle(message)
                except Exception as exc:
                    # KeyError included, which kombu counts as a lost connection to Redis.
                    if is_outage(exc):
                        raise
                    if not message.acknowledged:
                        self.reject(message, _unreadable(message, exc))

            return on_task_received

        return create_task_handler

    def reject(self, message: Message, error: SluiceError) -> None:
        """Record the error for whoever waits for this message, if it has an id; in any case it comes no more."""
        strategy = self._c.strategies.get(TASK_NAME)
        headers = _headers(message)
        recorded = False
        if strategy is not None and isinstance(headers.get("task"), str):
            try:
                strategy.refuse(message, headers, error)
                recorded = True
            except Exception as exc:
                if is_outage(exc):
                    raise
        self._tell(message, headers, error, "refused" if recorded else "deleted")
        if not recorded and not message.acknowledged:
            message.reject_log_error(log, self._c.connection_errors)

    def _tell(self, message: Message, headers: Headers, error: SluiceError, done: str) -> None:
        """One line for each condition, not for each message: there may be thousands."""
        task, kind = log_safe(headers.get("task")), log_safe(message.content_type)
        condition, now = f"{task} {kind} {error}", time.monotonic()
        since, unsaid = self._told.get(condition, (-QUIET_S, 0))
        if now - since < QUIET_S:
            self._told[condition] = since, unsaid + 1
            return
        if len(self._told) >= MOST_CONDITIONS:
            self._told.clear()
        self._told[condition] = now, 0
        more = f" ({unsaid} more like it before)" if unsaid else ""
        name = log_safe(headers.get("id"))
        log.warning("%s a message: task %s, id %s, content type %s: %s%s", done, task, name, kind, error, more)


def _headers(message: Message) -> Headers:
    """The headers, or of an older protocol the body, which has the same names in it."""
    headers = message.headers
    if isinstance(headers, Mapping) and "task" in headers:
        return headers
    body = message._decoded_cache
    return body if isinstance(body, Mapping) else {}


def _unreadable(message: Message, exc: BaseException) -> InvalidInput:
    """Why a message cannot be read, without anything of it: what parsers say quotes it."""
    headers = _headers(message)
    if isinstance(exc, InvalidInput):
        return exc
    if isinstance(exc, ContentDisallowed):
        return InvalidInput(f"only application/json is read, not {log_safe(message.content_type)}")
    if headers.get("compression") and isinstance(exc, (KeyError, LookupError)):
        return InvalidInput(f"this worker does not have the compression {log_safe(headers['compression'])}")
    cause = exc.__cause__ if exc.__cause__ is not None else exc
    return InvalidInput(f"it is no message of a task call ({type(cause).__name__})")
