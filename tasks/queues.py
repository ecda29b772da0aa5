"""How many envelopes wait in a broker queue, on either transport."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from kombu import Connection
from kombu.exceptions import ChannelError

from sluice.tasks.envelope import message_count
from sluice.tasks.redis_client import require_writes
from sluice.tasks.wire.headers import is_counted

NOT_FOUND = 404
#: Envelopes looked into at each end of a queue.
SAMPLED = 8


class QueueCounter:
    """Looks at queues over one channel of an open connection. Not for several threads.

    What the transport raises passes through, except that a queue was not found.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel: Any = None

    def waiting(self, queue: str) -> int:
        """Envelopes in a queue that no worker has taken yet; a queue that does not exist holds none."""
        if self._channel is None:
            self._channel = self._connection.channel()
        try:
            return int(self._channel.queue_declare(queue=queue, passive=True).message_count)
        except ChannelError as exc:
            # Redis knows no empty queue and keeps the channel; RabbitMQ closes it with every such error.
            if not getattr(self._channel, "is_open", True):
                self._channel = None
            if int(exc.reply_code or 0) != NOT_FOUND:
                raise
            return 0

    def held(self) -> int | None:
        """Envelopes of all queues that workers have and have not acknowledged; None: this broker does not say."""
        client, key = getattr(self._channel, "client", None), getattr(self._channel, "unacked_key", None)
        return None if client is None or key is None else int(client.hlen(key))

    def require_writes(self) -> None:
        """Raises when Redis would take no envelope now; RabbitMQ tells those who publish."""
        client, key = getattr(self._channel, "client", None), getattr(self._channel, "unacked_mutex_key", None)
        if client is not None and key is not None:
            require_writes(client, key)

    def sample(self, queue: str) -> list[int]:
        """Messages in each of some envelopes that are not in the ledger; RabbitMQ lets nobody look."""
        client = getattr(self._channel, "client", None)
        if client is None:
            return []
        raws = client.lrange(queue, 0, SAMPLED - 1) + client.lrange(queue, -SAMPLED, -1)
        return [count for count in map(_uncounted_messages, raws) if count is not None]


def _uncounted_messages(raw: bytes) -> int | None:
    """Messages in an envelope as kombu's Redis transport keeps it; None if they are counted or cannot be read."""
    try:
        message = orjson.loads(raw)
        if is_counted(message["headers"]):
            return None
        args, kwargs, *_ = orjson.loads(base64.b64decode(message["body"]))
        return message_count(args, kwargs)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
