"""How many envelopes wait in a broker queue, on either transport."""

from __future__ import annotations

from typing import Any

from kombu import Connection
from kombu.exceptions import ChannelError

NOT_FOUND = 404


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
