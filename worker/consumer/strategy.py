"""Celery's hook for how a task message is received: here an envelope goes to the pipeline, not to a pool."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from celery import Celery, Task, signals
from celery.exceptions import InvalidTaskError
from celery.utils.log import get_logger
from celery.utils.time import timezone
from celery.worker.state import task_reserved
from celery.worker.strategy import hybrid_to_proto2, proto1_to_proto2
from kombu.asynchronous.timer import to_timestamp
from kombu.utils.imports import symbol_by_name

from sluice.tasks.envelope import DEAD_LETTERS, MORE_HEADER, QUEUES, REPLY_HEADER, Call, message_count, parse
from sluice.tasks.errors import InvalidInput
from sluice.tasks.ledger import COUNTED_HEADER
from sluice.worker.message import Received
from sluice.worker.pipeline import revoked

log = get_logger(__name__)

#: Headers that name this envelope or another.
NAMES = ("id", "root_id", "parent_id", "group", REPLY_HEADER)
#: What stands for a call whose arguments make no sense.
UNREADABLE = Call([], single=True)


def batching(task: Task, app: Celery, consumer: Any) -> Callable[..., None]:
    """The message handler of one broker connection; Celery asks for it anew after every reconnect."""
    pipeline = consumer.controller.sluice
    receiver = Receiver(task, app, consumer, pipeline.new_connection())

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any, **_: Any) -> None:
        envelope = receiver.receive(message, body, ack, reject)
        if envelope is None:
            return
        if window := consumer.windows.get(envelope.bulk):
            window.saw(len(envelope.messages))
        if envelope.request.eta is not None and envelope.refused is None:
            receiver.postpone(envelope, pipeline.accept)
            return
        task_reserved(envelope.request)
        for callback in callbacks or ():
            callback(envelope.request)
        pipeline.accept(envelope)

    return handle


class Receiver:
    """Turns broker messages into received envelopes."""

    def __init__(self, task: Task, app: Celery, consumer: Any, generation: int) -> None:
        self._task, self._app, self._consumer = task, app, consumer
        self._generation = generation
        self._request = symbol_by_name(task.Request)
        self._utc = app.uses_utc_timezone()
        self._max_text_chars = app.sluice_settings.max_text_chars

    def receive(self, message: Any, body: Any, ack: Any, reject: Any) -> Received | None:
        """Read one broker message; None if it was revoked by a stamped header.

        Raises:
            InvalidTaskError: the message is not a task message; Celery rejects it.
        """
        request = self._make_request(message, body, ack, reject)
        if request.stamped_headers and request.revoked():
            return None
        signals.task_received.send(sender=self._consumer, request=request)
        self._announce(request)
        envelope = self._make_envelope(request)
        envelope.refused = revoked(envelope) or envelope.refused
        return envelope

    def postpone(self, envelope: Received, accept: Callable[[Received], None]) -> None:
        """Hold an envelope with an ETA until its time, without counting it against the prefetch window."""
        request, consumer = envelope.request, self._consumer
        due = to_timestamp(timezone.to_system(request.eta)) if request.utc else to_timestamp(request.eta)

        def now_due(request: Any) -> None:
            task_reserved(request)
            envelope.arrived = time.monotonic()
            accept(envelope)
            consumer.qos.decrement_eventually()

        consumer.qos.increment_eventually()
        consumer.timer.call_at(due, now_due, (request,), priority=6)  # `inspect scheduled` reads the argument

    def _make_request(self, message: Any, body: Any, ack: Any, reject: Any) -> Any:
        try:
            content, headers, decoded, utc = self._decode(message, body)
            # They become part of keys and results: no lone surrogates.
            "".join([str(headers.get(name)) for name in NAMES]).encode()
            return self._request(
                message,
                app=self._app,
                hostname=self._consumer.hostname,
                eventer=self._consumer.event_dispatcher,
                task=self._task,
                connection_errors=self._consumer.connection_errors,
                on_ack=ack,
                on_reject=reject,
                body=content,
                headers=headers,
                decoded=decoded,
                utc=utc,
            )
        except (TypeError, ValueError, KeyError, AttributeError) as exc:
            raise InvalidTaskError(f"not a task message: {type(exc).__name__}") from None

    def _decode(self, message: Any, body: Any) -> tuple[Any, Any, bool, bool]:
        if body is not None:
            return proto1_to_proto2(message, body)
        if "args" in message.payload:
            return hybrid_to_proto2(message, message.payload)
        return message.body, message.headers, False, self._utc

    def _make_envelope(self, request: Any) -> Received:
        headers = request.request_dict
        refused = None
        try:
            call = parse(request.args, request.kwargs, self._max_text_chars)
        except InvalidInput as exc:
            call, refused = UNREADABLE, exc
        dead = request.delivery_info.get("exchange") == DEAD_LETTERS
        more = headers.get(MORE_HEADER)
        reply_to = headers.get(REPLY_HEADER)
        return Received(
            request=request,
            messages=call.messages,
            single=call.single,
            bulk=request.delivery_info.get("routing_key") == QUEUES["bulk"],
            arrived=time.monotonic(),
            generation=self._generation,
            reply_to=reply_to if isinstance(reply_to, str) else None,
            more=more if isinstance(more, int) else 0,
            redelivered=dead or bool(request.delivery_info.get("redelivered")),
            dead=dead,
            refused=refused,
            scores=call.scores,
            # As its sender counted: of one that makes no sense, no messages are read.
            counted=message_count(request.args, request.kwargs) if headers.get(COUNTED_HEADER) is True else 0,
        )

    def _announce(self, request: Any) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s[%s] received", request.argsrepr, request.id)
        if not request.listened_to:
            return
        request.send_event(
            "task-received",
            name=request.name,
            args=request.argsrepr,
            kwargs=request.kwargsrepr,
            root_id=request.root_id,
            parent_id=request.parent_id,
            retries=request.request_dict.get("retries", 0),
            eta=request.eta and request.eta.isoformat(),
            expires=request.expires and request.expires.isoformat(),
        )
