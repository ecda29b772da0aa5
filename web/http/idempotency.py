"""The ``Idempotency-Key`` header: scoped by its API key, and kept as a digest."""

from __future__ import annotations

import hashlib

from flask import Request

from sluice.tasks.errors import BadRequest
from sluice.web.http.auth import given_key

MAX_KEY_CHARS = 255


def key_digest(asked: Request) -> str | None:
    """What stands for the key of a request; None when it has none.

    Raises:
        BadRequest: it is empty or too long.
    """
    key = asked.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY_CHARS:
        raise BadRequest(
            f"Idempotency-Key must have 1 to {MAX_KEY_CHARS} characters",
            {"field": "Idempotency-Key", "limit": MAX_KEY_CHARS},
        )
    scope = hashlib.sha256(given_key(asked.headers).encode("utf-8", "surrogateescape")).digest()
    return hashlib.sha256(scope + key.encode("utf-8", "surrogateescape")).hexdigest()
