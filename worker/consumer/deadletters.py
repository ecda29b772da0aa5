"""The consumer of what RabbitMQ gave up after too many deliveries, on a channel of its own with a window of one.

Most of these messages are innocent: a worker that died merely held them. So here each is tried alone, as any envelope
that came back too often is (``worker/delivery/quarantine.py``): it gets its answer, or an error once it has taken its
workers down. One that comes back from here, for its worker died, goes to the end of the queue first: the others are
not kept waiting, and its deliveries are counted anew, so that no limit is ever reached here.
"""

from __future__ import annotations

from celery import bootsteps
from celery.utils.log import get_logger
from kombu.common import ignore_errors

from sluice.tasks.app import settings_of
from sluice.tasks.lanequeue import dead_letter_queue, has_dead_letters
from sluice.worker.consumer.celery_types import Consumer
from sluice.worker.consumer.handler import consume
from sluice.worker.consumer.lanes import Lanes
from sluice.worker.consumer.transport.kombu_types import DeadLetter, Handler

log = get_logger(__name__)


class DeadLetters(bootsteps.StartStopStep):
    """Consumes the dead letters, one at a time."""

    label = "Dead letters"
    requires = (Lanes,)

    def __init__(self, c: Consumer, **options: object) -> None:
        super().__init__(c, **options)
        c.dead_letter_consumer = None

    def include_if(self, c: Consumer) -> bool:
        return has_dead_letters(settings_of(c.app))

    def start(self, c: Consumer) -> None:
        assert c.connection is not None
        channel = c.connection.channel()
        channel.basic_qos(0, 1, False)
        c.dead_letter_consumer = consume(c, channel, dead_letter_queue(), one_life_each(c.create_task_handler()))

    def stop(self, c: Consumer) -> None:
        if c.dead_letter_consumer:
            ignore_errors(c, c.dead_letter_consumer.cancel)

    def shutdown(self, c: Consumer) -> None:
        """Close the channel: what is not acknowledged goes back to the broker."""
        consumer, c.dead_letter_consumer = c.dead_letter_consumer, None
        if consumer:
            ignore_errors(c, consumer.channel.close)


def one_life_each(handle: Handler) -> Handler:
    """``handle``, but for messages whose worker died: they go to the end of the queue, in one step of the broker."""

    def on_message(message: DeadLetter) -> None:
        if message.delivery_info.get("redelivered"):
            message.set_aside()
        else:
            handle(message)

    return on_message
