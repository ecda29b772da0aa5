"""Celery's view of one received envelope, with nothing of its texts to show."""

from __future__ import annotations

from typing import Any

from celery.utils.log import get_logger
from celery.worker.request import Request

from tasks.envelope import describe

log = get_logger(__name__)


class EnvelopeRequest(Request):
    """What ``inspect``, events and logs see of an envelope: its message count in place of its arguments."""

    def __init__(self, message: Any, **options: Any) -> None:
        super().__init__(message, **options)
        self._argsrepr = describe(self._args or (), self._kwargs if isinstance(self._kwargs, dict) else None)
        self._kwargsrepr = "{}"

    @property
    def embedded(self) -> dict[str, Any]:
        """What the client hung on the result: callbacks, errbacks, chain, chord."""
        embed = self._payload[2]
        return embed if isinstance(embed, dict) else {}

    def info(self, safe: bool = False) -> dict[str, Any]:
        return super().info(safe=True)

    def terminate(self, pool: Any, signal: Any = None) -> None:
        """An envelope in the model shares its batch with others, so it is not interrupted; one that waits is
        dropped through the set of revoked ids before the model sees it."""
        log.info("%s[%s] is not interrupted if the model has it already", self.name, self.id)

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """Nothing to cancel: what is not finished at a cold shutdown goes back to the broker."""
