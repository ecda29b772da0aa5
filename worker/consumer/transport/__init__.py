"""How broker messages reach the worker: kombu's two transports, with what they do per message made cheap.

The worker alone uses these (``sluice.worker.consumer.steps`` puts ``WorkerConnection`` in place); clients, Flower and
``celery inspect`` keep kombu's own. On the wire and in Redis everything is as kombu has it.
"""

from __future__ import annotations

from typing import Any

from kombu import Connection
from kombu.transport import pyamqp, redis as kombu_redis


class WorkerConnection(Connection):
    """A kombu connection that takes Sluice's transport in place of kombu's."""

    def get_transport_cls(self) -> Any:
        from sluice.worker.consumer.transport.rabbitmq import RabbitTransport
        from sluice.worker.consumer.transport.redis import BulkTransport

        ours = {pyamqp.Transport: RabbitTransport, kombu_redis.Transport: BulkTransport}
        chosen = super().get_transport_cls()
        return ours.get(chosen, chosen)
