"""Broker connections of the service: kombu's, with a Redis that refuses to work counted as one that is away."""

from __future__ import annotations

from typing import Any, ClassVar

import redis
from kombu import Connection
from kombu.transport import redis as kombu_redis

from sluice.tasks.redis_client import failing_over


class RedisChannel(kombu_redis.Channel):
    """Kombu's channel; see ``redis_client.py``."""

    def _connparams(self, *args: object, **options: object) -> dict[str, object]:
        if self.connection is None:  # closed, with its connection; a producer of a pool may have it still
            raise redis.ConnectionError("the channel is closed")
        params: dict[str, Any] = super()._connparams(*args, **options)
        params["connection_class"] = failing_over(params["connection_class"])
        return params


class RedisTransport(kombu_redis.Transport):
    """Kombu's transport with that channel."""

    Channel = RedisChannel


class ServiceConnection(Connection):
    """A kombu connection that takes Sluice's transports in place of kombu's."""

    TRANSPORTS: ClassVar[dict[type[object], type[object]]] = {kombu_redis.Transport: RedisTransport}

    def get_transport_cls(self) -> type:
        chosen = super().get_transport_cls()
        return self.TRANSPORTS.get(chosen, chosen)
