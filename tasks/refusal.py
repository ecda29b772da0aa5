"""A Redis that answers, but refuses what everybody asks of it, counts as one that is away.

After a failover the old primary is a replica, and connections to it live on; a full disk or a full memory refuse
writes. redis-py tells of these as it does of a wrong command: as an error of the one who asks. Here they are lost
connections, wherever they come up: connections are dropped, so that the next reaches the server that is in charge now,
and everybody waits and tries again.
"""

from __future__ import annotations

import re
from typing import Any

import redis
from redis import exceptions

#: Redis's own first words. A script's error quotes them behind its own (Redis 6.2).
WORDS = "READONLY|OOM|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|BUSY|UNBLOCKED"
#: From the start: an unknown command is quoted in its error, and may hold anything.
REFUSAL = re.compile(rf"(?:ERR Error running script [^\n]*?: -|-)?({WORDS})\b")
#: redis-py takes the first word away from those that it has a class for.
CLASSES = {
    exceptions.ReadOnlyError: "READONLY",
    exceptions.OutOfMemoryError: "OOM",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.ClusterDownError: "CLUSTERDOWN",
}


def refusal(error: redis.RedisError) -> str | None:
    """Redis's word for why it refuses, if others are refused too; None if the error is about what was asked."""
    if not isinstance(error, redis.ResponseError):
        return None
    for kind, word in CLASSES.items():
        if isinstance(error, kind):
            return word
    found = REFUSAL.match(str(error))
    return found[1] if found else None


def require_writes(client: Any, key: str) -> None:
    """Ask for a write that changes nothing, of the string ``key``: who takes no writes refuses it as any other.

    Raises:
        redis.RedisError: Redis refuses, or does not answer.
    """
    try:
        client.setrange(key, 0, "")
    except redis.ResponseError as exc:
        if refusal(exc) is not None:
            raise


class _Honest:
    """A redis-py connection whose server's refusals are lost connections."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except redis.ResponseError as exc:
            word = refusal(exc)
            if word is None:
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise redis.ConnectionError(f"Redis refuses to work: {word}") from exc


def honest(connection_class: type[Any]) -> type[Any]:
    """``connection_class`` of redis-py, with refusals told as lost connections."""
    if issubclass(connection_class, _Honest):
        return connection_class
    return type(connection_class.__name__, (_Honest, connection_class), {})
