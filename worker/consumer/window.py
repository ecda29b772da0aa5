"""The prefetch window of a lane, in envelopes, kept at so many messages. Main thread only.

A broker counts envelopes. What a worker should hold is some batches' worth of messages: with fewer the model waits,
with more a second worker has nothing to do while the first has work for seconds.

Redis only. RabbitMQ's ``basic.qos`` counts for consumers that come after it, and quorum queues know no other kind.
"""

from __future__ import annotations

import math

from kombu.common import QoS

#: Weight of the newest envelope in the running mean of messages per envelope.
MEAN_WEIGHT = 0.1
#: The window follows the mean when it is off by this factor.
TOLERANCE = 1.5
LEAST = 2


class Window:
    """Resizes a prefetch count as envelopes come.

    Args:
        qos: kombu's, of this connection.
        messages: how many to hold.
        most: envelopes that ``qos`` starts with, and never exceeds on account of this.
        mean: messages per envelope until one has come.
    """

    def __init__(self, qos: QoS, messages: int, most: int, mean: float) -> None:
        self._qos = qos
        self._messages, self._most = messages, most
        self._mean, self._seen = mean, 0
        self._size = most
        self._resize()

    def saw(self, messages: int) -> None:
        """An envelope of so many messages came in."""
        self._seen += 1
        self._mean += max(MEAN_WEIGHT, 1 / self._seen) * (messages - self._mean)
        wanted = self._wanted()
        if not self._size / TOLERANCE <= wanted <= self._size * TOLERANCE:
            self._resize()

    def _wanted(self) -> int:
        return max(LEAST, min(self._most, math.ceil(self._messages / max(self._mean, 1.0))))

    def _resize(self) -> None:
        wanted = self._wanted()
        # In steps, not as a value: Celery adds one for each envelope with an ETA.
        if wanted > self._size:
            self._qos.increment_eventually(wanted - self._size)
        elif wanted < self._size:
            self._qos.decrement_eventually(self._size - wanted)
        self._size = wanted
        self._qos.update()  # with Redis a number in this process
