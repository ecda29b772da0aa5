"""Redis: as many messages per round trip as the prefetch window has room for, and none lost on the way.

Kombu takes one message with ``BRPOP`` and then notes it among the unacknowledged ones: two round trips for each, and
a worker that dies in between loses the message. Here one request does two things: it waits until the queue has
something, without taking it, and then a script moves messages from the queues to the unacknowledged ones, which Redis
does as one step. What lies in Redis looks as kombu leaves it, so kombu's own way of giving messages back applies.
"""

from __future__ import annotations

import contextlib
import time
from queue import Empty
from typing import Any, ClassVar

import orjson
import redis
from celery.utils.log import get_logger
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import base as virtual
from kombu.utils.json import loads
from redis.exceptions import ConnectionError as RedisConnectionError, ResponseError, WatchError

from sluice.tasks.redis_client import require_writes
from sluice.tasks.transport import RedisChannel
from sluice.worker.consumer.transport.kombu_types import Handler, Message, Table
from sluice.worker.consumer.transport.message import RedisMessage

log = get_logger(__name__)

#: Messages taken in one round trip: about a batch, so that a worker leaves some to the others.
MOST_TAKEN = 64
#: Seconds a request waits. Only the list of the default priority wakes it: others are looked at this often.
WAIT_S = 0.25

#: KEYS: the unacknowledged messages, their index, then the queue lists in the order of preference.
#: ARGV: the time, how many to take. Returns the list's number, the message and the tag it is
#: noted with (empty: it is not noted), over and over.
TAKE = """
local taken, left = {}, tonumber(ARGV[2])
for list = 3, #KEYS do
  while left > 0 do
    local raw = redis.call('RPOP', KEYS[list])
    if not raw then break end
    local readable, message = pcall(cjson.decode, raw)
    local tag, info
    local noted = ''
    if readable and type(message) == 'table' and type(message.properties) == 'table' then
      tag, info = message.properties.delivery_tag, message.properties.delivery_info
    end
    if type(tag) == 'string' and type(info) == 'table' then
      local exchange, key = info.exchange, info.routing_key
      exchange, key = type(exchange) == 'string' and exchange or '', type(key) == 'string' and key or ''
      local entry = '[' .. raw .. ', ' .. cjson.encode(exchange) .. ', ' .. cjson.encode(key) .. ']'
      redis.call('HSET', KEYS[1], tag, entry)
      redis.call('ZADD', KEYS[2], ARGV[1], tag)
      noted = tag
    end
    taken[#taken + 1] = list - 2
    taken[#taken + 1] = raw
    taken[#taken + 1] = noted
    left = left - 1
  end
end
return taken
"""


class NotingOnce(kombu_redis.QoS):
    """Kombu's acknowledgements; a message that the script has noted is not noted again.

    What cannot be given back when a connection ends, because Redis refuses to work or is away, is given back by the
    next connection. By itself it would come back when its visibility timeout is over.
    """

    #: Delivery tag → until when nobody else can have the message (monotonic). Main thread only.
    left_behind: ClassVar[dict[str, float]] = {}

    def append(self, message: Message, delivery_tag: str) -> None:
        if self.channel.noted:
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def restore_unacked(self, client: redis.Redis | None = None) -> None:
        held, until = list(self._delivered), time.monotonic() + self.visibility_timeout
        try:
            super().restore_unacked(client)
        except Exception:
            self.left_behind.update(dict.fromkeys(held, until))
            raise

    def restore_left_behind(self) -> None:
        """Give back what earlier connections could not; nothing that another worker may have by now."""
        now = time.monotonic()
        for tag, until in list(self.left_behind.items()):
            if now < until:
                self.restore_by_tag(tag)
            del self.left_behind[tag]

    def restore_by_tag(self, tag: str, client: redis.Redis | None = None, leftmost: bool = False) -> None:
        """As kombu's, which would begin again for ever while Redis lets it read and refuses the write."""
        with self.channel.conn_or_acquire(client) as client, client.pipeline() as pipe:
            while True:
                try:
                    pipe.watch(self.unacked_key)
                    held: Any = pipe.hget(self.unacked_key, tag)
                    pipe.multi()
                    self._remove_from_indices(tag, pipe)
                    if held:
                        message, exchange, routing_key = loads(held.decode())
                        self.channel._do_restore_message(message, exchange, routing_key, pipe, leftmost)
                    pipe.execute()
                    return
                except WatchError as exc:
                    if isinstance(exc.__context__, RedisConnectionError):
                        raise exc.__context__ from None


class BulkChannel(RedisChannel):
    """Kombu's channel, taking many messages at once. Main thread only.

    Kombu's poller asks with ``_brpop_start`` and, when the socket has an answer, takes it with ``_brpop_read``.
    """

    QoS = NotingOnce
    Message = RedisMessage
    _in_poll: Any = False
    _brpop_sent_at: Any = None

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        #: Whether the messages that are being handed on are noted as unacknowledged already.
        self.noted = False
        self._lists: list[str] = []
        #: Consumers that never acknowledge want nothing noted: while there is one, all is done as kombu does it.
        #: Celery's mingle has one here when the worker starts.
        self._noting_nothing: set[str] = set()

    def close(self) -> None:
        if self._in_poll:
            # What a pending request has taken goes back; kombu would stop here if the connection is lost, with all
            # that was not acknowledged.
            with contextlib.suppress(Empty, *self.connection_errors):
                self._brpop_read()
        super().close()

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Handler, consumer_tag: str, **options: object
    ) -> object:
        if no_ack:
            self._noting_nothing.add(consumer_tag)
        return super().basic_consume(queue, no_ack, callback, consumer_tag, **options)

    def _brpop_start(self, timeout: float | None = None) -> None:
        if self._noting_nothing or self.global_keyprefix:
            self._lists = []
            super()._brpop_start(timeout)
            return
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        self._lists = [self._q_for_pri(queue, step) for step in self.priority_steps for queue in queues]
        room = self.qos.can_consume_max_estimate()
        most = MOST_TAKEN if room is None else max(1, min(room, MOST_TAKEN))
        connection = self.client.connection
        self._in_poll = connection
        self._brpop_sent_at = time.monotonic()
        keys = [self.unacked_key, self.unacked_index_key, *self._lists]
        wait = ("BLMOVE", self._lists[0], self._lists[0], "RIGHT", "RIGHT", WAIT_S)
        take = ("EVAL", TAKE, len(keys), *keys, time.time(), most)
        connection.send_packed_command(connection.pack_commands([wait, take]))

    def _brpop_read(self, **options: object) -> bool:
        if not self._lists:
            return bool(super()._brpop_read(**options))
        try:
            taken = self._answers(**options)
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        if not taken:
            raise Empty
        self._hand_on(taken)
        return True

    def _answers(self, **options: object) -> list[Any]:
        """Both answers of a request; that to the wait says nothing that the other does not."""
        client = self.client
        try:
            with contextlib.suppress(ResponseError):  # then the script is refused too
                client.parse_response(client.connection, "BLMOVE", **options)
            taken: list[Any] = client.parse_response(client.connection, "EVAL", **options)
        except self.connection_errors:
            client.connection.disconnect()
            raise
        return taken

    def _hand_on(self, taken: list[Any]) -> None:
        """Give each message to its queue's consumer; without one, back to its queue."""
        callbacks, unclaimed = self.connection._callbacks, []
        for number, raw, noted in zip(taken[0::3], taken[1::3], taken[2::3], strict=True):
            queue = self._lists[number - 1].rsplit(self.sep, 1)[0]
            try:
                payload = read(raw)
            except Exception as exc:
                log.warning("deleted a message from %s: it is none of Celery's (%s)", queue, type(exc).__name__)
                self._forget(noted)
                continue
            callback = callbacks.get(queue)
            if callback is None:
                unclaimed.append(payload["properties"]["delivery_tag"])
                continue
            self.noted = True
            try:
                callback(payload)
            finally:
                self.noted = False
        for tag in reversed(unclaimed):  # each goes to the front
            self.qos.restore_by_tag(tag)
        self._queue_cycle.rotate(queue)

    def _forget(self, tag: bytes) -> None:
        if tag:
            with self.conn_or_acquire() as client:
                client.pipeline().zrem(self.unacked_index_key, tag).hdel(self.unacked_key, tag).execute()

    def _basic_cancel(self, consumer_tag: str) -> object:
        cancelled = super()._basic_cancel(consumer_tag)
        self._noting_nothing.discard(consumer_tag)
        if self._in_poll and not self.active_queues:
            # What the pending request takes must not lie here until the channel closes: others may want it.
            with contextlib.suppress(Empty):
                self._brpop_read()
        return cancelled


def read(raw: bytes) -> Table:
    """A message as kombu wrote it.

    Raises:
        Exception: of any class: it is none, so the script has not noted it.
    """
    # Kombu marks dates and the like so, and makes objects of them.
    payload: Table = loads(raw) if b"__type__" in raw else orjson.loads(raw)
    properties = payload["properties"]
    tag, info = properties["delivery_tag"], properties["delivery_info"]
    if not isinstance(tag, str) or not isinstance(info, (dict, list)):
        raise TypeError("not a message of kombu's")
    return payload


class BulkTransport(kombu_redis.Transport):
    """Kombu's transport with that channel."""

    Channel = BulkChannel

    def establish_connection(self) -> object:
        """Connect to a Redis that takes writes; to one that does not it is no use.

        Raises:
            redis.ConnectionError: there is none. Who connects waits and tries again, as if none answered.
        """
        established = super().establish_connection()
        channel = self._avail_channels[0]
        try:
            with channel.conn_or_acquire() as client:
                require_writes(client, channel.unacked_mutex_key)
            channel.qos.restore_left_behind()
        except BaseException:
            self.close_connection(established)
            raise
        return established
