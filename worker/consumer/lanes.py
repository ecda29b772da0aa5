"""The bulk lane's own consumer, on a channel and a prefetch window of its own.

With one window for both queues a backfill would fill it, and interactive messages would wait at the broker. So
Celery's task consumer takes the interactive queue only, and this step consumes ``bulk`` beside it.
"""

from __future__ import annotations

from collections.abc import Callable

from celery import bootsteps
from celery.utils.log import get_logger
from celery.worker.control import inspect_command
from kombu import Connection, Queue
from kombu.common import QoS, ignore_errors

from sluice.config.masking import masked_url
from sluice.tasks.app import prefetch_envelopes, settings_of
from sluice.tasks.envelope import ENVELOPE_MESSAGES, QUEUES
from sluice.worker.consumer import missed_revocations
from sluice.worker.consumer.acks import give_back_abandoned, renew
from sluice.worker.consumer.celery_types import Consumer, ControlState, pipeline_of
from sluice.worker.consumer.handler import consume, direct
from sluice.worker.consumer.postponed import NewWindow, WiderWindow
from sluice.worker.consumer.rejects import Rejects
from sluice.worker.consumer.rescue import rescuing
from sluice.worker.consumer.transport.kombu_types import Channel, Entry, Table
from sluice.worker.consumer.window import Window

log = get_logger(__name__)


#: RabbitMQ: bulk envelopes (of a few hundred messages each) held at once.
BULK_PREFETCH = 8


class Lanes(bootsteps.StartStopStep):
    """Consumes the bulk queue, and keeps this worker's hold on what it has of both (Redis)."""

    label = "Lanes"
    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, c: Consumer, **options: object) -> None:
        super().__init__(c, **options)
        c.bulk_consumer = None
        c.windows, c.rooms = {}, {}  # by lane: bulk or not
        self._bulk_qos: QoS | None = None
        self._renewing: Entry | None = None
        c.create_task_handler = rescuing(c, Rejects(c).guarding(direct(c, c.create_task_handler)))
        c.cancel_task_queue = self._cancelling(c, c.cancel_task_queue)
        c.add_task_queue = self._adding(c, c.add_task_queue)
        self._queue = c.app.amqp.queues.consume_from.get(QUEUES["bulk"])

    def start(self, c: Consumer) -> None:
        missed_revocations.remember(c.app)  # Celery's control consumer listens by now, so none is missed in between
        self._set_interactive_window(c)
        # Celery's consumer has declared both queues by now, but does not consume before the loop runs.
        assert c.task_consumer is not None
        c.task_consumer.cancel_by_queue(QUEUES["bulk"])
        if self._queue is not None:
            self._consume(c, self._queue)
        every_s = settings_of(c.app).visibility_timeout_s / 4
        self._renewing = c.timer.call_repeatedly(every_s, self._renew, (c,))
        c.controller.broker_availability.back()
        pipeline_of(c).consuming(True)

    def _consume(self, c: Consumer, queue: Queue) -> None:
        assert c.connection is not None
        channel = c.connection.channel()
        self._set_bulk_window(c, channel)
        c.bulk_consumer = consume(c, channel, queue, c.create_task_handler())

    def _cancelling(self, c: Consumer, others: Callable[[str], None]) -> Callable[[str], None]:
        """Celery's ``cancel_task_queue`` (``control.cancel_consumer``) for the bulk queue too."""

        def cancel_task_queue(queue: str) -> None:
            others(queue)
            if queue == QUEUES["bulk"]:
                self._queue = None  # not after a reconnect either
                if c.bulk_consumer:
                    c.bulk_consumer.cancel_by_queue(queue)

        return cancel_task_queue

    def _adding(self, c: Consumer, others: Callable[..., None]) -> Callable[..., None]:
        """Celery's ``add_task_queue`` (``control.add_consumer``), with the bulk queue on its own channel."""

        def add_task_queue(queue: str, *options: object, **more: object) -> None:
            if queue != QUEUES["bulk"]:
                others(queue, *options, **more)
            elif self._queue is None:
                self._queue = c.app.amqp.queues[queue]
                if c.bulk_consumer:
                    c.bulk_consumer.add_queue(self._queue)
                    c.bulk_consumer.consume()
                else:
                    self._consume(c, self._queue)

        return add_task_queue

    def stop(self, c: Consumer) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        if c.controller.sluice is not None:
            c.controller.sluice.consuming(False)
        if c.bulk_consumer:
            ignore_errors(c, c.bulk_consumer.cancel)

    def shutdown(self, c: Consumer) -> None:
        """Close the channel: what is not acknowledged goes back to the broker."""
        consumer, c.bulk_consumer = c.bulk_consumer, None
        if consumer:
            ignore_errors(c, consumer.channel.close)

    def info(self, c: Consumer) -> Table:
        told = {"bulk_prefetch_count": self._bulk_qos.value if c.bulk_consumer and self._bulk_qos else 0}
        return told | ({"broker": broker_info(c.connection)} if c.connection else {})

    def _set_interactive_window(self, c: Consumer) -> None:
        """A window of so many messages, before anything is consumed; see ``window.py``."""
        capacity, settings = pipeline_of(c).capacity, settings_of(c.app)
        most = prefetch_envelopes(settings)
        if not settings.uses_amqp:
            c.rooms[False] = WiderWindow(c.qos)
            c.windows[False] = Window(c.qos, capacity.window_messages, most, capacity.first_mean)
            return
        c.qos.decrement_eventually(max(0, most - capacity.window_messages))
        c.qos.update()
        if counts_by_consumer(c):
            c.rooms[False] = NewWindow(lambda: c.task_consumer, c.qos.value, c.call_soon)
        else:
            c.rooms[False] = WiderWindow(c.qos)

    def _set_bulk_window(self, c: Consumer, channel: Channel) -> None:
        capacity, settings = pipeline_of(c).capacity, settings_of(c.app)
        most = BULK_PREFETCH if settings.uses_amqp else prefetch_envelopes(settings)
        self._bulk_qos = QoS(lambda prefetch_count: channel.basic_qos(0, prefetch_count, False), most)
        if settings.uses_amqp:
            self._bulk_qos.update()
            c.rooms[True] = NewWindow(lambda: c.bulk_consumer, most, c.call_soon)
        else:
            c.rooms[True] = WiderWindow(self._bulk_qos, self._bulk_qos.update)  # a number in this process
            c.windows[True] = Window(self._bulk_qos, capacity.window_messages, most, ENVELOPE_MESSAGES)

    def _renew(self, c: Consumer) -> None:
        if c.bulk_consumer:
            renew(c.bulk_consumer.channel)
        if c.task_consumer:
            renew(c.task_consumer.channel)
            give_back_abandoned(c.task_consumer.channel)


def counts_by_consumer(c: Consumer) -> bool:
    """RabbitMQ: whether the interactive lane's window is its consumer's, and stays as it was when that began."""
    assert c.connection is not None
    return settings_of(c.app).queue_type == "quorum" or bool(c.connection.qos_semantics_matches_spec)


def broker_info(connection: Connection) -> Table:
    """What `inspect stats` and Flower tell of the broker; Celery would tell the passwords of sockets and stand-ins."""
    told = {name: value for name, value in connection.info().items() if name != "password"}
    if "://" in told["hostname"]:
        told["hostname"] = masked_url(told["hostname"])
    return told | {"alternates": [masked_url(url) for url in told["alternates"]]}


@inspect_command(alias="dump_active_queues")
def active_queues(state: ControlState) -> list[Table]:
    """Celery's command of this name, with the bulk lane's queue told too."""
    consumers = [state.consumer.task_consumer, state.consumer.bulk_consumer]
    return [dict(queue.as_dict(recurse=True)) for one in consumers if one for queue in one.queues]
