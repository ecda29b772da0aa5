"""What a broker holds, asked without a Celery app."""

from __future__ import annotations

import amqp
import redis
from celery import Celery
from kombu import Connection

from sluice.tasks.envelope import DEAD_LETTERS, QUEUES

#: Celery's Redis transport keeps one list per priority step.
PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")


def waiting(url: str) -> int:
    """Envelopes ready in both queues and among the dead letters; those that a worker holds do not count."""
    if url.startswith("redis"):
        client = redis.Redis.from_url(url)
        names = [f"{queue}{priority}" for queue in QUEUES.values() for priority in PRIORITIES]
        count = sum(client.llen(name) for name in names)
        client.close()
        return count
    with Connection(url) as connection:
        return sum(_amqp_count(connection, queue) for queue in (*QUEUES.values(), DEAD_LETTERS))


def held(url: str) -> int:
    """Redis only: envelopes that some worker has taken and not acknowledged."""
    client = redis.Redis.from_url(url)
    count = client.hlen("unacked")
    client.close()
    return count


def _amqp_count(connection: Connection, queue: str) -> int:
    try:
        return connection.channel().queue_declare(queue, passive=True).message_count
    except amqp.NotFound:
        return 0


def sweep(app: Celery) -> None:
    """Redis only: give back what dead workers held, as every live worker does from time to time."""
    with app.connection_for_read() as connection:
        connection.default_channel.qos.restore_visible(num=1000)
