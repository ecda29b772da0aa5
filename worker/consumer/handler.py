"""The first step for a message of either lane: straight to the Strategy if it is ours, else as Celery does it."""

from __future__ import annotations

from functools import partial
from typing import cast

from celery.exceptions import InvalidTaskError
from kombu import Consumer as KombuConsumer, Queue
from kombu.exceptions import ContentDisallowed, DecodeError

from sluice.tasks.envelope import TASK_NAME
from sluice.worker.consumer.celery_types import Consumer, MakeHandler
from sluice.worker.consumer.transport.kombu_types import Channel, Handler, Message, MessageConsumer


def consume(c: Consumer, channel: Channel, queue: Queue, handle: Handler) -> MessageConsumer:
    """Take what lies in ``queue``, on a channel of its own beside Celery's consumer."""
    consumer = KombuConsumer(
        channel, queues=[queue], accept=["json"], on_decode_error=c.on_decode_error, on_message=handle
    )
    consumer.consume()
    return cast(MessageConsumer, consumer)


def direct(c: Consumer, make_handler: MakeHandler) -> MakeHandler:
    """Celery's ``create_task_handler`` with a short way for envelopes.

    Celery makes two promises for every message, to be called when it is acknowledged or rejected singly. Ours are
    acknowledged in bulk, so a plain function will do.
    """

    def create_task_handler() -> Handler:
        handle_other = make_handler()
        callbacks, call_soon = c.on_task_message, c.call_soon

        def on_task_received(message: Message) -> None:
            headers = message.headers
            strategy = c.strategies.get(TASK_NAME)
            if strategy is None or not isinstance(headers, dict) or headers.get("task") != TASK_NAME:
                handle_other(message)
                return
            try:
                strategy(
                    message,
                    None,
                    partial(call_soon, message.ack_log_error),
                    partial(call_soon, message.reject_log_error),
                    callbacks,
                )
            except (InvalidTaskError, ContentDisallowed) as exc:
                c.on_invalid_task(None, message, exc)
            except DecodeError as exc:
                c.on_decode_error(message, exc)

        return on_task_received

    return create_task_handler
