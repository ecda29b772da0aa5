"""The worker's way of taking messages from a real Redis: many at once, as many as it may, and none lost."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from kombu import Connection, Consumer, Exchange, Queue

from sluice.harness.process import wait_for
from sluice.harness.servers import RedisServer
from sluice.harness.worker import flush
from sluice.worker.consumer.transport import WorkerConnection
from sluice.worker.consumer.transport.redis import MOST_TAKEN, BulkChannel

QUEUE = Queue("taken", Exchange("taken", type="direct"), routing_key="taken")
LISTS = ("taken", "taken\x06\x163", "taken\x06\x166", "taken\x06\x169")


class Taker:
    """A consumer of the queue, as the worker has one."""

    def __init__(self, url: str, prefetch: int) -> None:
        self.connection = WorkerConnection(url, transport_options={"visibility_timeout": 1})
        self.channel: BulkChannel = self.connection.channel()
        self.channel.basic_qos(0, prefetch, False)
        self.messages: list[Any] = []
        self.consumer = Consumer(self.channel, [QUEUE], accept=["json"], on_message=self.messages.append)
        self.consumer.consume()

    def take(self, timeout_s: float = 1.0) -> list[Any]:
        """What arrives until nothing does."""
        try:
            while True:
                self.connection.drain_events(timeout=timeout_s)
        except TimeoutError:
            return [message.payload for message in self.messages]


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    flush(redis_server.url)
    with redis.Redis.from_url(redis_server.url) as client:
        yield client
    flush(redis_server.url)


@pytest.fixture
def taker(redis_server: RedisServer, client: redis.Redis) -> Iterator[Taker]:
    taker = Taker(redis_server.url, 100)
    yield taker
    taker.connection.release()


def send(redis_server: RedisServer, *bodies: Any, **options: Any) -> None:
    with Connection(redis_server.url) as connection:
        producer = connection.Producer(serializer="json")
        for body in bodies:
            producer.publish(body, exchange=QUEUE.exchange, routing_key="taken", declare=[QUEUE], **options)


def waiting(client: redis.Redis) -> int:
    return sum(client.llen(name) for name in LISTS)


def taken_at_once(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_eval", {"calls": 0})["calls"])


def test_many_come_in_few_round_trips_in_order(redis_server: RedisServer, client: redis.Redis, taker: Taker) -> None:
    send(redis_server, *range(90))
    client.config_resetstat()
    assert taker.take(0.1) == list(range(90))
    assert taken_at_once(client) <= 90 // MOST_TAKEN + 1 + 2
    assert client.hlen("unacked") == client.zcard("unacked_index") == 90
    for message in taker.messages:
        message.ack()
    assert client.hlen("unacked") == client.zcard("unacked_index") == 0


def test_the_prefetch_window_holds(redis_server: RedisServer, client: redis.Redis) -> None:
    taker = Taker(redis_server.url, 5)
    send(redis_server, *range(12))
    assert taker.take(0.1) == list(range(5))
    assert (waiting(client), client.hlen("unacked")) == (7, 5)
    for message in taker.messages[:3]:
        message.ack()
    assert taker.take(0.1) == list(range(8))
    taker.connection.release()
    assert (waiting(client), client.hlen("unacked")) == (9, 0), "what was not acknowledged is back on the queue"


def test_higher_priorities_come_first_and_none_is_forgotten(
    redis_server: RedisServer, client: redis.Redis, taker: Taker
) -> None:
    for priority in (9, 3, 0, 6):
        send(redis_server, priority, priority=priority)
    assert taker.take(0.1) == [0, 3, 6, 9]
    send(redis_server, "alone", priority=9)  # wakes nobody, but is looked for
    assert taker.take(0.6)[-1] == "alone"


def test_a_lone_message_wakes_the_waiting_worker(redis_server: RedisServer, taker: Taker) -> None:
    """Without taking it first: the wait leaves the list as it is."""
    taker.take(0.05)
    assert taker.channel._in_poll, "a request is waiting at the server"
    send(redis_server, "one")
    taker.connection.drain_events(timeout=5)
    assert [message.payload for message in taker.messages] == ["one"]


def test_a_worker_that_dies_while_taking_loses_nothing(
    redis_server: RedisServer, client: redis.Redis, taker: Taker
) -> None:
    """It is gone when the answer comes. Kombu's own transport would have popped a message that nobody noted."""
    taker.take(0.05)
    sock: socket.socket = taker.channel.client.connection._sock
    send(redis_server, *range(10))
    wait_for(lambda: client.hlen("unacked"), "an answer, which lies in the socket")
    sock.shutdown(socket.SHUT_RDWR)
    assert waiting(client) + client.hlen("unacked") == 10
    assert client.hlen("unacked") == client.zcard("unacked_index") > 0
    time.sleep(1.1)  # its visibility timeout
    other = Taker(redis_server.url, 100)
    other.channel.qos.restore_visible(num=100, interval=1)
    assert sorted(other.take(0.3)) == list(range(10))
    other.connection.release()


def test_what_comes_after_the_cancel_goes_back(redis_server: RedisServer, client: redis.Redis, taker: Taker) -> None:
    send(redis_server, *range(3))
    taker.channel.connection.cycle.on_poll_start()  # a request is on its way, its answer not read
    wait_for(lambda: client.hlen("unacked") == 3, "all taken")
    taker.consumer.cancel()
    assert taker.messages == []
    assert (waiting(client), client.hlen("unacked")) == (3, 0)
    other = Taker(redis_server.url, 100)
    assert other.take(0.2) == [0, 1, 2], "in the order they had"
    other.connection.release()


@pytest.mark.parametrize(
    "odd", [b"no JSON", b"[]", b"7", b"{}", b'{"properties": 1}', b'{"properties": {"delivery_tag": 5}}', b"\xff{"]
)
def test_something_odd_in_the_list_harms_no_message(
    redis_server: RedisServer, client: redis.Redis, taker: Taker, odd: bytes
) -> None:
    send(redis_server, "before")
    client.lpush("taken", odd)
    send(redis_server, "after")
    assert taker.take(0.1) == ["before", "after"]
    assert client.hlen("unacked") == 2


def test_bodies_that_only_kombu_can_read(redis_server: RedisServer, taker: Taker) -> None:
    send(redis_server, {"lone": "\ud800"}, {"number": float("inf")})
    assert taker.take(0.1) == [{"lone": "\ud800"}, {"number": float("inf")}]


def test_a_consumer_without_acknowledgements_leaves_nothing_noted(
    redis_server: RedisServer, client: redis.Redis
) -> None:
    got: list[Any] = []
    with WorkerConnection(redis_server.url) as connection:
        consumer = Consumer(connection.channel(), [QUEUE], accept=["json"], no_ack=True, on_message=got.append)
        consumer.consume()
        send(redis_server, *range(3))
        while len(got) < 3:
            connection.drain_events(timeout=5)
    assert [message.payload for message in got] == [0, 1, 2]
    assert client.hlen("unacked") == 0


def test_a_consumer_without_acknowledgements_leaves_no_trace_when_it_is_gone(
    redis_server: RedisServer, client: redis.Redis
) -> None:
    """Celery looks for other workers with one, on the very channel on which tasks come afterwards."""
    taker = Taker(redis_server.url, 100)
    replies = Consumer(taker.channel, [Queue("replies")], accept=["json"], no_ack=True, on_message=print)
    with replies:
        pass
    send(redis_server, *range(10))
    client.config_resetstat()
    assert taker.take(0.6) == list(range(10))
    assert client.hlen("unacked") == 10
    assert taken_at_once(client) > 0
    assert "cmdstat_brpop" not in client.info("commandstats")
    taker.connection.release()
