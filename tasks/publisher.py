"""Puts envelopes on the broker. One publisher per thread: it holds a connection and is not shared."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self
from uuid import uuid4

from celery import Celery
from kombu import Producer
from kombu.pools import producers

from sluice.tasks.app import settings_of
from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.server import Server, connection_errors
from sluice.tasks.wire.headers import EnvelopeHeaders

RETRY_POLICY = {"max_retries": 1, "interval_start": 0.05, "interval_step": 0.2, "interval_max": 0.5}
#: Seconds RabbitMQ may take to confirm an envelope; it holds confirmations back while its disk or memory is full.
CONFIRM_TIMEOUT_S = 4.0


class Publisher:
    """Publishes envelopes over one connection of Celery's producer pool.

    Args:
        app: the Celery app.
        retry_policy: kombu's retry policy for a lost connection; the default gives up within a second if the broker
            refuses, within a quarter of a minute if it is frozen.
    """

    def __init__(self, app: Celery, retry_policy: dict[str, object] | None = None) -> None:
        self._app = app
        self._retry_policy = retry_policy or RETRY_POLICY
        self._producer: Producer | None = None
        self._server = Server.broker(settings_of(app))
        self._errors = connection_errors(app)

    def publish(
        self,
        messages: Sequence[str | dict[str, str | None]],
        *,
        lane: str = "interactive",
        envelope_id: str | None = None,
        reply_to: str | None = None,
        more: int = 0,
        group_id: str | None = None,
        group_index: int | None = None,
        options: PredictionOptions = LABEL_ONLY,
        counted: bool = False,
    ) -> str:
        """Send one envelope; returns its id, which is the Celery task id.

        Args:
            messages: texts, or ``{"id", "text"}`` objects, 1..``MAX_ENVELOPE_MESSAGES``.
            lane: ``interactive`` or ``bulk``.
            reply_to: address of a ``ReplyListener`` that wants the answers batch by batch.
            more: messages the sender already has for its next envelope; the worker then waits for them.
            group_id: the Celery group (the job) this envelope belongs to.
            options: what the answers hold besides label and probability.
            counted: the caller has put the messages into the ledger; otherwise that is done here.

        Raises:
            BrokerUnavailable: the broker did not take it; whether it arrived is unknown only if the connection
                broke while RabbitMQ was confirming.
        """
        envelope_id = envelope_id or str(uuid4())
        headers = EnvelopeHeaders(reply_to, more, options.verdict, counted)
        amqp = self._app.amqp
        message = amqp.as_task_v2(
            envelope_id,
            TASK_NAME,
            (list(messages),),
            {"scores": True} if options.scores else {},
            group_id=group_id,
            group_index=group_index,
        )
        try:
            producer = self._acquire()
            with producer.connection._reraise_as_library_errors():
                amqp.send_task_message(
                    producer,
                    TASK_NAME,
                    message,
                    queue=QUEUES[lane],
                    headers=headers.to_wire(),
                    retry=True,
                    retry_policy=self._retry_policy,
                    confirm_timeout=CONFIRM_TIMEOUT_S,
                )
        except self._errors as exc:
            self.close()
            raise self._server.unavailable(exc) from exc
        return envelope_id

    def close(self) -> None:
        """Give the connection back; the next ``publish`` takes another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _acquire(self) -> Producer:
        if self._producer is None:
            self._producer = producers[self._app.connection_for_write()].acquire(block=True, timeout=5)
        return self._producer
