"""Room for envelopes that wait for their time: a countdown shall not keep what could run now at the broker.

A message with an ETA is held by the worker, unacknowledged, so the broker counts it against the lane's window. With a
full window of them the worker would take nothing until the first is due. Main thread only.
"""

from __future__ import annotations

from collections.abc import Callable

from kombu.common import QoS

from sluice.worker.consumer.transport.kombu_types import MessageConsumer


class WiderWindow:
    """Widens the window by one for each, where a window can change while a consumer runs: Redis, and RabbitMQ up to
    3.x for classic queues.

    Args:
        qos: the lane's.
        told: tells the broker. Celery's loop does so for the interactive lane, between deliveries: within one,
            RabbitMQ's answer would be waited for.
    """

    def __init__(self, qos: QoS, told: Callable[[], object] = lambda: None) -> None:
        self._qos, self._told = qos, told

    def more(self) -> None:
        self._qos.increment_eventually()
        self._told()

    def less(self) -> None:
        self._qos.decrement_eventually()
        self._told()


class NewWindow:
    """Lets a new consumer take the place of the old one when half of its window waits.

    RabbitMQ counts by consumer, and what a cancelled one has stays with the channel, where it counts no more. So the
    channel holds a window of what can run, and all that waits.

    Args:
        consumer: gives the lane's consumer, if there is one.
        later: calls what it is given on the main thread, soon: not within a delivery.
    """

    def __init__(
        self, consumer: Callable[[], MessageConsumer | None], window: int, later: Callable[..., object]
    ) -> None:
        self._consumer, self._later = consumer, later
        self._most = max(1, window // 2)
        self._waiting = 0

    def more(self) -> None:
        self._waiting += 1
        if self._waiting == self._most:
            self._later(self._renew)

    def less(self) -> None:
        pass

    def _renew(self) -> None:
        self._waiting = 0
        consumer = self._consumer()
        if consumer is not None and consumer.queues:
            consumer.cancel()
            consumer.consume()
