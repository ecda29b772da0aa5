"""Acknowledges many envelopes at once. Main thread only.

RabbitMQ: one ``basic.ack`` with ``multiple`` covers every delivery tag up to the first gap. Redis: kombu emulates
acks with one transaction per message; here one pipeline removes all of them. Both fall back to one ack per message.
The Redis part uses kombu internals (``QoS._quick_ack``, ``Message._state``), pinned by the kombu version and a test.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from weakref import WeakKeyDictionary

from celery.utils.log import get_logger
from kombu.transport.redis import Channel as RedisChannel

from sluice.worker.consumer.transport.kombu_types import Channel, Errors, Message

log = get_logger(__name__)

#: Acknowledged tags remembered beyond a gap; more means the gap belongs to someone else's message.
MOST_BEYOND_GAP = 10_000
#: Abandoned messages put back in one go (a few hundred ms of the main thread).
MOST_GIVEN_BACK = 500


class TagWindow:
    """Which delivery tags of one AMQP channel can go into a multiple-ack.

    Tags count up from 1 per channel. A multiple-ack of ``n`` acknowledges *every* tag up to ``n``, so it may only
    reach as far as all of them are finished here.
    """

    def __init__(self) -> None:
        self._floor = 0
        self._beyond: set[int] = set()
        self._usable = True

    def finish(self, tags: Iterable[int]) -> tuple[int, list[int]]:
        """Note finished tags; returns the tag to multiple-ack (0: none) and the tags to acknowledge singly."""
        new = set(tags)
        if not self._usable:
            return 0, sorted(new)
        while self._floor + 1 in new or self._floor + 1 in self._beyond:
            self._floor += 1
            self._beyond.discard(self._floor)
        singly = sorted(tag for tag in new if tag > self._floor)
        self._beyond.update(singly)
        if len(self._beyond) > MOST_BEYOND_GAP:
            self._usable = False
            self._beyond.clear()
        # The highest tag of these, not the floor: RabbitMQ closes the channel over a tag acknowledged before.
        return max((tag for tag in new if tag <= self._floor), default=0), singly


class Acker:
    """Acknowledges finished broker messages, in as few broker commands as the transport allows."""

    def __init__(self, connection_errors: Errors) -> None:
        self._errors = connection_errors
        self._windows: WeakKeyDictionary[Channel, TagWindow] = WeakKeyDictionary()

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Acknowledge kombu messages. A lost connection is logged: the broker will deliver them again."""
        by_channel = defaultdict(list)
        for message in messages:
            if not message.acknowledged:
                by_channel[message.channel].append(message)
        for channel, several in by_channel.items():
            try:
                if isinstance(channel, RedisChannel):
                    self._redis(channel, several)
                else:
                    self._amqp(channel, several)
            except self._errors as exc:
                log.warning("%d envelopes not acknowledged, the broker connection is lost: %r", len(several), exc)

    def _redis(self, channel: RedisChannel, messages: list[Message]) -> None:
        tags = [message.delivery_tag for message in messages]
        qos = channel.qos
        with channel.conn_or_acquire() as client:
            client.pipeline().zrem(qos.unacked_index_key, *tags).hdel(qos.unacked_key, *tags).execute()
        for message in messages:
            qos._quick_ack(message.delivery_tag)
            message._state = "ACK"

    def _amqp(self, channel: Channel, messages: list[Message]) -> None:
        window = self._windows.setdefault(channel, TagWindow())
        by_tag = {message.delivery_tag: message for message in messages}
        multiple, singly = window.finish(by_tag)
        if multiple:
            channel.basic_ack(multiple, multiple=True)
        for tag in singly:
            channel.basic_ack(tag)
        for message in messages:
            message._state = "ACK"


def renew(channel: Channel) -> None:
    """Redis only: tell the other workers that this one lives and still holds its unacknowledged messages.

    Without this the visibility timeout would have to exceed the longest time a message can wait here; with it the
    timeout only bounds how long a dead worker's messages lie.
    """
    if not isinstance(channel, RedisChannel):
        return
    qos = channel.qos
    held = [tag for tag in list(qos._delivered) if tag not in qos._dirty]
    if held:
        with channel.conn_or_acquire() as client:
            client.zadd(qos.unacked_index_key, dict.fromkeys(held, time.time()), xx=True)


def give_back_abandoned(channel: Channel) -> None:
    """Redis only: put back on the queue what dead workers held.

    Kombu does so by itself, but ten messages every ten seconds; a worker holds hundreds.
    """
    if isinstance(channel, RedisChannel):
        channel.qos.restore_visible(num=MOST_GIVEN_BACK, interval=1)
