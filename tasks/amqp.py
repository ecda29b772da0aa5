"""Celery's message builder and sender, with three changes: no text of an SMS is in the headers, messages are counted,
and on RabbitMQ none is lost because its queue was deleted.

Celery puts ``repr(args)`` into every message's headers, for Flower and ``inspect``. Here the call's message count
stands in its place, whichever way the message is sent (``delay``, ``send_task``, ``celery call``). And whichever way
it is sent, its messages are in the ledger (``sluice.tasks.ledger``) while they are in the system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amqp.exceptions import ChannelError
from celery import Celery
from celery.app.amqp import AMQP, task_message
from kombu import Producer

from sluice.tasks.envelope import TASK_NAME, describe, lane_of, message_count
from sluice.tasks.ledger import Count, Ledger
from sluice.tasks.transport import ServiceConnection
from sluice.tasks.wire.headers import COUNTED_MARK, is_counted

Send = Callable[..., object]
"""Celery's sender of a task message."""
#: AMQP's code for a message that no queue takes.
NO_ROUTE = 312


class PrivateAMQP(AMQP):
    Connection = ServiceConnection

    def __init__(self, app: Celery) -> None:
        super().__init__(app)
        # Protocol 1 would carry the arguments where events show them, so every message is built as protocol 2.
        self.task_protocols = {1: self.as_task_v2, 2: self.as_task_v2}

    def as_task_v2(
        self, task_id: str, name: str, args: object = None, kwargs: object = None, *rest: object, **options: object
    ) -> task_message:
        if name == TASK_NAME:
            options["argsrepr"] = describe(args or (), kwargs)
            options["kwargsrepr"] = "{}"
        return super().as_task_v2(task_id, name, args, kwargs, *rest, **options)

    def _create_task_sender(self) -> Send:
        send: Send = super()._create_task_sender()
        if self.app.sluice_settings.uses_amqp:
            send = _routed(send)
        ledger = Ledger(self.app.sluice_settings.backend)

        def send_task_message(
            producer: Producer, name: str, message: task_message, *rest: object, **options: Any
        ) -> object:
            # One with an ETA is in no queue for as long as it is not due; one with the mark was counted by its sender.
            marked = is_counted(options.get("headers") or {}) or is_counted(message.headers)
            if name != TASK_NAME or message.headers.get("eta") or marked:
                return send(producer, name, message, *rest, **options)
            queue = options.get("queue")
            lane = lane_of(getattr(queue, "name", queue) or options.get("routing_key"))
            count = Count(1, message_count(*message.body[:2]))
            if not ledger.add(lane, count):
                return send(producer, name, message, *rest, **options)
            message.headers.update(COUNTED_MARK)
            try:
                return send(producer, name, message, *rest, **options)
            except BaseException:
                ledger.add(lane, -count)
                raise

        return send_task_message


def _routed(send: Send) -> Send:
    """``send`` for RabbitMQ, which confirms and drops what no queue takes: a queue that was deleted is declared anew.

    Raises:
        ChannelError: there is no queue for it all the same.
    """

    def send_task_message(
        producer: Producer, name: str, message: task_message, *rest: object, **options: Any
    ) -> object:
        if name != TASK_NAME:
            return send(producer, name, message, *rest, **options)
        options["mandatory"] = True
        try:
            return send(producer, name, message, *rest, **options)
        except ChannelError as exc:
            if exc.reply_code != NO_ROUTE:
                raise
        connection, channel = producer.connection, producer.channel
        connection.declared_entities.clear()
        # On the old channel the confirmation of what was returned is still to come.
        producer.revive(connection.channel())
        channel.close()
        return send(producer, name, message, *rest, **options)

    return send_task_message
