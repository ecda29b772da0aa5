"""Celery's hook for how a task message is received: here an envelope goes to the pipeline, not to a pool."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial

from celery import Celery, Task, signals
from celery.exceptions import InvalidTaskError
from celery.utils.log import get_logger
from celery.utils.time import timezone
from celery.worker.state import task_reserved
from celery.worker.strategy import hybrid_to_proto2, proto1_to_proto2
from kombu.asynchronous.timer import to_timestamp
from kombu.utils.imports import symbol_by_name

from sluice.tasks.envelope import (
    DEAD_LETTERS,
    QUEUES,
    Call,
    message_count,
    parse,
)
from sluice.tasks.errors import InvalidInput, SluiceError
from sluice.tasks.prediction_options import PredictionOptions
from sluice.tasks.wire.headers import EnvelopeHeaders
from sluice.worker.consumer.celery_types import Consumer, Settle, pipeline_of
from sluice.worker.consumer.headers import readable, without_times
from sluice.worker.consumer.request import EnvelopeRequest, request_of
from sluice.worker.consumer.revocation import revoked
from sluice.worker.consumer.transport.kombu_types import Headers, Message, Table
from sluice.worker.engine.mail import InFlightEnvelope

log = get_logger(__name__)

BULK = QUEUES["bulk"]
#: What stands for a call whose arguments make no sense.
UNREADABLE = Call([], single=True)


class Batching:
    """The message handler of one broker connection; Celery asks for it anew after every reconnect."""

    def __init__(self, task: Task, app: Celery, consumer: Consumer) -> None:
        self._pipeline, self._consumer = pipeline_of(consumer), consumer
        no_verdict = self._pipeline.judge.objection
        self._receiver = Receiver(task, app, consumer, self._pipeline.new_connection(), no_verdict)

    def __call__(
        self,
        message: Message,
        body: object,
        ack: Settle,
        reject: Settle,
        callbacks: Iterable[Callable[..., object]],
        **_: object,
    ) -> None:
        envelope = self._receiver.receive(message, body, ack, reject)
        if envelope is None:
            return
        if window := self._consumer.windows.get(envelope.bulk):
            window.saw(len(envelope.messages))
        if envelope.due is not None and envelope.refused is None:
            self._receiver.postpone(envelope, self._pipeline.accept)
            return
        task_reserved(envelope.handle)
        for callback in callbacks or ():
            callback(envelope.handle)
        self._pipeline.accept(envelope)

    def refuse(self, message: Message, headers: Headers, error: SluiceError) -> None:
        """Let a message that has an id fail with ``error``; what hangs on it, as far as it can be read, fails too.

        Raises:
            InvalidTaskError: it has none.
        """
        envelope = self._receiver.refused(message, headers, error)
        task_reserved(envelope.handle)
        self._pipeline.accept(envelope)


class Receiver:
    """Turns broker messages into received envelopes.

    Args:
        no_verdict: why the model gives no verdicts, for calls that are for nothing without one.
    """

    def __init__(
        self, task: Task, app: Celery, consumer: Consumer, generation: int, no_verdict: InvalidInput | None
    ) -> None:
        self._task, self._app, self._consumer = task, app, consumer
        self._generation = generation
        self._request = symbol_by_name(task.Request)
        self._utc = app.uses_utc_timezone()
        self._max_text_chars = app.sluice_settings.max_text_chars
        self._always_verdict, self._no_verdict = app.sluice_settings.verdict, no_verdict

    def receive(self, message: Message, body: object, ack: Settle, reject: Settle) -> InFlightEnvelope | None:
        """Read one broker message; None if it was revoked by a stamped header.

        Raises:
            InvalidTaskError: the message is not a task message; Celery rejects it.
        """
        content, headers, decoded, utc = self._decode(message, body)
        clean, refused = readable(headers)
        if not isinstance(content if decoded else message.payload, (list, tuple)):
            raise InvalidTaskError("its body is no list of args, kwargs and embed")
        try:
            request = self._make_request(message, ack, reject, content, clean, decoded, utc)
            due = self._due(request)
        except (InvalidTaskError, ValueError, ArithmeticError, OSError):
            refused = InvalidInput("header eta or expires is no time", {"field": "eta"})
            request, due = self._make_request(message, ack, reject, content, without_times(clean), decoded, utc), None
        if request.stamped_headers and request.revoked():
            return None
        signals.task_received.send(sender=self._consumer, request=request)
        self._announce(request)
        envelope = self._make_envelope(request, EnvelopeHeaders.from_wire(headers))
        envelope.due = due
        envelope.refused = revoked(envelope) or refused or envelope.refused
        return envelope

    def refused(self, message: Message, headers: Headers, error: SluiceError) -> InFlightEnvelope:
        """An envelope that does not run; what hangs on it is read as far as it can be.

        Raises:
            InvalidTaskError: it has no id.
        """
        clean, _ = readable(headers)
        try:
            args, kwargs, embed = message.payload
        except Exception:
            args, kwargs, embed = [], {}, {}
        message.errors = []
        message._decoded_cache = (args, kwargs, embed)
        later = self._consumer.call_soon
        ack, reject = partial(later, message.ack_log_error), partial(later, message.reject_log_error)
        request = self._make_request(message, ack, reject, None, without_times(clean), False, True)
        self._announce(request)
        envelope = self._make_envelope(request, EnvelopeHeaders.from_wire(headers))
        envelope.refused, envelope.told = error, True
        return envelope

    def _due(self, request: EnvelopeRequest) -> float | None:
        """When it may run, on the hub's clock; None: now.

        Raises:
            ValueError, ArithmeticError, OSError: its times are none that this machine can tell.
        """
        if request.expires is not None:
            request.expires.timestamp()
        if request.eta is None:
            return None
        due: float = to_timestamp(timezone.to_system(request.eta)) if request.utc else to_timestamp(request.eta)
        return due

    def postpone(self, envelope: InFlightEnvelope, accept: Callable[[InFlightEnvelope], None]) -> None:
        """Hold an envelope with an ETA until its time, without counting it against its lane's window."""
        request, consumer, due = request_of(envelope), self._consumer, envelope.due
        assert due is not None

        def now_due(request: EnvelopeRequest) -> None:
            task_reserved(request)
            envelope.arrived = time.monotonic()
            accept(envelope)
            if room is not None:
                room.less()

        # A dead letter waits alone: its consumer takes one at a time.
        room = None if envelope.dead else consumer.rooms.get(envelope.bulk)
        if room is not None:
            room.more()
        # `inspect scheduled` reads the argument.
        request.waits(consumer.timer.call_at(due, now_due, (request,), priority=6))

    def _make_request(
        self, message: Message, ack: Settle, reject: Settle, content: object, headers: Table, decoded: bool, utc: bool
    ) -> EnvelopeRequest:
        request: EnvelopeRequest = self._request(
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
        return request

    def _decode(self, message: Message, body: object) -> tuple[object, Headers, bool, bool]:
        if body is not None:
            return proto1_to_proto2(message, body)
        if "args" in message.payload:
            return hybrid_to_proto2(message, message.payload)
        return message.body, message.headers, False, self._utc

    def _make_envelope(self, request: EnvelopeRequest, headers: EnvelopeHeaders) -> InFlightEnvelope:
        refused = None
        try:
            call = parse(request.args, request.kwargs, self._max_text_chars)
        except InvalidInput as exc:
            call, refused = UNREADABLE, exc
        if call.options.verdict and self._no_verdict is not None:
            call, refused = UNREADABLE, self._no_verdict
        options = call.options
        if headers.verdict or self._always_verdict:
            options = PredictionOptions(options.scores, verdict=True)
        # Not through Celery's cached properties: each takes a lock, and this runs for every envelope.
        said, delivery, expires = request.request_dict, request.delivery_info, request.expires
        dead = delivery.get("exchange") == DEAD_LETTERS
        return InFlightEnvelope(
            id=str(request.id),
            handle=request,
            group=said.get("group"),
            group_index=said.get("group_index"),
            parent_id=said.get("parent_id"),
            root_id=said.get("root_id"),
            ignore_result=request.ignore_result,
            embedded=request.embedded,
            expires=None if expires is None else expires.timestamp(),
            messages=call.messages,
            single=call.single,
            bulk=delivery.get("routing_key") == BULK,
            arrived=time.monotonic(),
            generation=self._generation,
            reply_to=headers.reply_to,
            more=headers.more,
            redelivered=dead or bool(delivery.get("redelivered")),
            dead=dead,
            refused=refused,
            options=options,
            # As its sender counted: of one that makes no sense, no messages are read.
            counted=message_count(request.args, request.kwargs) if headers.counted else 0,
        )

    def _announce(self, request: EnvelopeRequest) -> None:
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
