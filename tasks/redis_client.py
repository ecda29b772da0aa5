"""A redis-py client from the URL forms that the settings accept."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

CONNECT_TIMEOUT_S = 5.0


def connect(url: str, *, socket_timeout: float | None = 10.0, retries: int = 0, **options: Any) -> redis.Redis:
    """A client for ``redis://``, ``rediss://`` or ``redis+socket:///path?virtual_host=0``; connects on first use."""
    if url.startswith("redis+socket://"):
        parts = urlsplit(url)
        database = parts.query.removeprefix("virtual_host=").lstrip("/") or "0"
        url = f"unix://{parts.path}?db={database}"
    return redis.Redis.from_url(
        url,
        socket_timeout=socket_timeout,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(ExponentialBackoff(cap=1.0, base=0.05), retries),
        health_check_interval=25,
        **options,
    )
