"""How broker messages reach the worker: kombu's two transports, with what they do per message made cheap.

The worker alone uses these (``sluice.worker.consumer.steps`` puts ``WorkerConnection`` in place); clients, Flower and
``celery inspect`` keep kombu's own (``sluice.tasks.transport``). On the wire and in Redis everything is as kombu has
it.
"""

from __future__ import annotations

import random
from typing import Any

from kombu.transport import pyamqp, redis as kombu_redis

from sluice.tasks.transport import ServiceConnection

#: Seconds between two tries to reach the broker, at the most.
RETRY_MOST_S = 3.0


class WorkerConnection(ServiceConnection):
    """A connection with the worker's transports, which is tried again every three seconds at the most."""

    def get_transport_cls(self) -> type:
        from sluice.worker.consumer.transport.rabbitmq import RabbitTransport
        from sluice.worker.consumer.transport.redis import BulkTransport

        ours = {pyamqp.Transport: RabbitTransport, kombu_redis.Transport: BulkTransport}
        chosen = super(ServiceConnection, self).get_transport_cls()
        return ours.get(chosen, chosen)

    def _ensure_connection(self, *args: object, **options: Any) -> object:
        # Celery gives no intervals, and kombu's grow to half a minute. Workers that lost the broker together must not
        # come back together, again and again.
        options.setdefault("interval_start", random.uniform(0.2, 1.0))
        options.setdefault("interval_step", random.uniform(0.3, 1.0))
        options.setdefault("interval_max", random.uniform(RETRY_MOST_S / 2, RETRY_MOST_S))
        return super()._ensure_connection(*args, **options)
