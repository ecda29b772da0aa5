"""A redis-py client from the URL forms that the settings accept."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from sluice.tasks.refusal import honest

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
    client.connection_pool.connection_class = honest(client.connection_pool.connection_class)
    return client


def _unix(url: str) -> str:
    """Celery's form of a socket URL in redis-py's: the database is called ``db`` there; user and password stay."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if database := query.pop("virtual_host", "").strip("/"):
        query["db"] = database
    # Made by hand: urlunsplit leaves out the slashes of an empty host.
    return f"unix://{parts.netloc}{parts.path}?{urlencode(query)}"
