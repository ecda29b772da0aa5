"""Looks for calls that lie in Celery's default queue, and says so.

A client that names no exchange sends to the queue ``celery``. That queue is any Celery app's on this broker, and a task
called ``tasks.classify`` may be another app's too: so the worker takes nothing from it, and its log says what lies
there.
"""

from __future__ import annotations

import logging
import threading

import amqp
import orjson
import redis
from kombu import Connection

from sluice.config.settings import Settings
from sluice.tasks.app import EXCHANGE_NAME
from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.redis_client import connect

log = logging.getLogger(__name__)

DEFAULT_QUEUE = "celery"
#: Seconds between two looks.
EVERY_S = 5.0
#: Redis: messages looked into, those that would be taken next.
LOOKED_INTO = 100
SAY = f"send it with exchange={EXCHANGE_NAME!r}, routing_key={QUEUES['interactive']!r}"


class StrayWatch(threading.Thread):
    """Looks every few seconds, takes nothing, and logs when calls begin to lie there. Ends with the process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="sluice-strays", daemon=True)
        self._settings = settings
        self._ending = threading.Event()
        self._told = False
        self._redis: redis.Redis | None = None
        self._amqp: Connection | None = None

    def stop(self) -> None:
        self._ending.set()

    def run(self) -> None:
        while True:
            try:
                self._tell(self._look_amqp() if self._settings.uses_amqp else self._look_redis())
            except Exception as exc:  # a broker that is away is the business of those who need it
                log.debug("the queue %s is not looked at: %s", DEFAULT_QUEUE, type(exc).__name__)
                self._disconnect()
            if self._ending.wait(EVERY_S):
                self._disconnect()
                return

    def _tell(self, found: str) -> None:
        if found and not self._told:
            log.warning("%s: %s", found, SAY)
        self._told = bool(found)

    def _look_redis(self) -> str:
        if self._redis is None:
            self._redis = connect(self._settings.broker)
        raws = self._redis.lrange(DEFAULT_QUEUE, -LOOKED_INTO, -1)
        ours = sum(_is_call(raw) for raw in raws)
        if not ours:
            return ""
        return f"{ours} calls of {TASK_NAME} lie in the queue {DEFAULT_QUEUE!r}, which this worker leaves to other apps"

    def _look_amqp(self) -> str:
        """RabbitMQ shows no message without taking it; so what lies there with nobody to take it may be ours."""
        if self._amqp is None:
            self._amqp = Connection(self._settings.broker, heartbeat=0)
            self._amqp.connect()
        channel = self._amqp.channel()
        try:
            declared = channel.queue_declare(queue=DEFAULT_QUEUE, passive=True)
        except amqp.NotFound:
            return ""  # RabbitMQ has closed the channel
        channel.close()
        if not declared.message_count or declared.consumer_count:
            return ""
        lying = f"{declared.message_count} messages lie in the queue {DEFAULT_QUEUE!r}, which no worker takes"
        return f"{lying}; if one is a call of {TASK_NAME}"

    def _disconnect(self) -> None:
        for connection in (self._redis, self._amqp):
            if connection is not None:
                connection.close()
        self._redis = self._amqp = None


def _is_call(raw: bytes | str) -> bool:
    try:
        return bool(orjson.loads(raw)["headers"]["task"] == TASK_NAME)
    except (ValueError, TypeError, LookupError):
        return False
