"""Takes envelopes that came back again and again to the dead letters, before RabbitMQ drops them.

Queues of today hand over what reaches a delivery limit by themselves (``sluice.tasks.lanequeue``). Those of an earlier
release drop it, on RabbitMQ 4 after 20 deliveries. There, and everywhere for simplicity, the worker is quicker.
"""

from __future__ import annotations

from celery.utils.log import get_logger
from kombu.exceptions import OperationalError

from sluice.tasks.app import settings_of
from sluice.tasks.envelope import DEAD_LETTERS
from sluice.tasks.lanequeue import has_dead_letters
from sluice.worker.consumer.celery_types import Consumer, MakeHandler
from sluice.worker.consumer.transport.kombu_types import Handler, Message

log = get_logger(__name__)

#: Header of quorum queues: how often the message was delivered before.
COUNT = "x-delivery-count"
#: Deliveries after which an envelope is moved: a message that takes workers down needs about as many to be singled
#: out, and most limits are higher.
MOST_DELIVERIES = 8
#: Seconds RabbitMQ may take to confirm that it has the copy.
CONFIRM_S = 4.0
#: Properties that go with it; what is not here is of the broker, or of the delivery.
KEPT = ("correlation_id", "reply_to", "priority")


def rescuing(c: Consumer, make_handler: MakeHandler) -> MakeHandler:
    """Celery's ``create_task_handler`` with a way out for messages near a delivery limit."""
    if not has_dead_letters(settings_of(c.app)):
        return make_handler

    def create_task_handler() -> Handler:
        handle = make_handler()

        def on_task_received(message: Message) -> None:
            if not (message.delivery_info.get("redelivered") and worn(message) and moved(c, message)):
                handle(message)

        return on_task_received

    return create_task_handler


def worn(message: Message) -> bool:
    """Whether it was delivered so often that the broker may soon drop it."""
    count = (message.headers or {}).get(COUNT)
    return isinstance(count, int) and count >= MOST_DELIVERIES


def moved(c: Consumer, message: Message) -> bool:
    """Put a copy among the dead letters, then delete the message; False if the broker does not take it now."""
    headers = {name: value for name, value in message.headers.items() if not name.startswith("x-")}
    headers.pop("compression", None)  # the body is unpacked
    properties = {name: message.properties[name] for name in KEPT if name in message.properties}
    try:
        with c.app.producer_or_acquire() as producer, producer.connection._reraise_as_library_errors():
            producer.publish(
                message.body,
                exchange=DEAD_LETTERS,
                routing_key=message.delivery_info["routing_key"],
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                headers=headers,
                delivery_mode=2,
                confirm_timeout=CONFIRM_S,
                **properties,
            )
    except (OperationalError, OSError) as exc:
        log.warning("an envelope near its delivery limit could not be moved: %s", type(exc).__name__)
        return False
    message.ack_log_error(log, c.connection_errors)
    log.info("an envelope that came back %d times was moved to %s", MOST_DELIVERIES, DEAD_LETTERS)
    return True
