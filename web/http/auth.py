"""API keys: ``X-API-Key: KEY`` or ``Authorization: Bearer KEY``; none are needed when none are set."""

from __future__ import annotations

import hashlib
import hmac

from flask import request
from werkzeug.datastructures import Headers

from sluice.config.settings import Settings
from sluice.tasks.errors import Unauthorized

OWNER_CHARS = 32


class Guard:
    """Lets requests with a known key pass."""

    def __init__(self, settings: Settings) -> None:
        # Digests have one length, so comparing them takes one time whatever the caller sent.
        self._digests = [_digest(key.get_secret_value()) for key in settings.api_keys]

    @property
    def needed(self) -> bool:
        """Whether any key is set."""
        return bool(self._digests)

    def __call__(self) -> None:
        """For ``Blueprint.before_request``; raises Unauthorized."""
        if self._digests:
            self.check(request.headers)

    def check(self, headers: Headers) -> None:
        key = given_key(headers)
        if not key:
            raise Unauthorized("send an API key as X-API-Key or as Authorization: Bearer")
        digest = _digest(key)
        # All of them are compared, so that the time does not tell which one matched.
        if not sum(hmac.compare_digest(digest, known) for known in self._digests):
            raise Unauthorized("this API key is not known")

    def owner(self, headers: Headers) -> str:
        """What stands for the caller in lists: callers with one key share theirs, and all do where no key is needed."""
        return _digest(given_key(headers)).hex()[:OWNER_CHARS] if self._digests else ""


def given_key(headers: Headers) -> str:
    """The key of a request; empty when there is none."""
    key = headers.get("X-API-Key", "")
    if key:
        return key
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
