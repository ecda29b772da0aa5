"""A redis-py client from the URL forms that the settings accept, and connections that leave a Redis which refuses."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from sluice.tasks.outage import refusal

CONNECT_TIMEOUT_S = 5.0


def connect(url: str, *, socket_timeout: float | None = 10.0, retries: int = 0, **options: Any) -> redis.Redis:
    """A client for ``redis://``, ``rediss://`` or ``redis+socket:///path?virtual_host=0``; connects on first use.

    A Redis that refuses to work, such as a replica, raises ``redis.ConnectionError``.
    """
    if url.startswith("redis+socket://"):
        url = _unix(url)
    client = redis.Redis.from_url(
        url,
        socket_timeout=socket_timeout,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), retries),
        health_check_interval=25,
        **options,
    )
    client.connection_pool.connection_class = failing_over(client.connection_pool.connection_class)
    return client


def require_writes(client: redis.Redis, key: str) -> None:
    """Ask for a write that changes nothing, of the string ``key``: who takes no writes refuses it as any other.

    Raises:
        redis.RedisError: Redis refuses, or does not answer.
    """
    try:
        client.setrange(key, 0, "")
    except redis.ResponseError as exc:
        if refusal(exc) is not None:
            raise


class _FailingOver:
    """A redis-py connection that counts as lost, and is closed, when its server refuses to work.

    After a failover the old primary is a replica, and connections to it live on; a full disk or a full memory refuse
    writes. redis-py tells of these as it does of a wrong command: as an error of the one who asks. So the next
    connection reaches the server that is in charge now, and everybody waits and tries again.
    """

    def read_response(self, *args: object, **options: object) -> object:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except redis.ResponseError as exc:
            word = refusal(exc)
            if word is None:
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise redis.ConnectionError(f"Redis refuses to work: {word}") from exc


def failing_over(connection_class: type) -> type:
    """``connection_class`` of redis-py, for which a server that refuses to work is a lost connection."""
    if issubclass(connection_class, _FailingOver):
        return connection_class
    return type(connection_class.__name__, (_FailingOver, connection_class), {})


def _unix(url: str) -> str:
    """Celery's form of a socket URL in redis-py's: the database is called ``db`` there; user and password stay."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if database := query.pop("virtual_host", "").strip("/"):
        query["db"] = database
    # Made by hand: urlunsplit leaves out the slashes of an empty host.
    return f"unix://{parts.netloc}{parts.path}?{urlencode(query)}"
