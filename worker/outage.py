"""Whether an error says that a server is away, or that what was asked of it makes no sense.

By what the error is, not by where it surfaced: kombu's Redis transport counts every ``KeyError`` and redis-py every
refusal among its own errors, so that one message of a client could pass for a broker that is away, for ever.
"""

from __future__ import annotations

import amqp.exceptions
import redis
from kombu.exceptions import OperationalError

from sluice.tasks.refusal import refusal

#: Redis refuses this user, or does not say what it refuses: waiting for its operator loses nothing.
REFUSED = (redis.exceptions.NoPermissionError, redis.exceptions.TryAgainError, redis.exceptions.ExecAbortError)
AWAY = (amqp.exceptions.ConnectionError, redis.ConnectionError, redis.TimeoutError, OSError)


def is_outage(error: BaseException) -> bool:
    """Whether trying again later makes sense; kombu's wrapper of an error is what it wraps."""
    if isinstance(error, OperationalError):
        return error.__cause__ is None or is_outage(error.__cause__)
    if isinstance(error, amqp.exceptions.FrameSyntaxError):
        return False  # py-amqp calls this a lost connection, and raises it over what it is given to send
    if isinstance(error, redis.ResponseError):
        return isinstance(error, REFUSED) or refusal(error) is not None
    return isinstance(error, AWAY)
