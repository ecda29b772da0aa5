"""Deliveries arrive whole, once and in order, however the network cuts what RabbitMQ sends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from struct import pack
from typing import Any

import amqp
import pytest
from amqp.exceptions import UnexpectedFrame
from amqp.method_framing import frame_handler
from amqp.serialization import dumps
from hypothesis import given, settings, strategies as st

from sluice.worker.consumer.transport.message import RabbitMessage
from sluice.worker.consumer.transport.rabbitmq import RabbitChannel, RabbitConnection

HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    return pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def delivery(tag: int, body: bytes, channel: int = 1, frame_bytes: int = 50, consumer: str = "ours") -> bytes:
    """The frames of one message; a long body comes in several."""
    message = amqp.Message(body, content_type="application/json", application_headers={"id": str(tag), "none": None})
    method = b"\x00\x3c\x00\x3c" + dumps("sLbss", (consumer, tag, False, "sluice", "sluice.bulk"))
    header = pack(">HHQ", 60, 0, len(body)) + message._serialize_properties()
    bodies = [frame(3, channel, body[at : at + frame_bytes]) for at in range(0, len(body), frame_bytes)]
    return frame(1, channel, method) + frame(2, channel, header) + b"".join(bodies)


class Wire:
    """A socket that gives what the network left together, then nothing."""

    connected = True

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = iter(pieces)

    def _quick_recv(self, _: int) -> bytes:
        piece = next(self._pieces, None)
        if piece is None:
            raise BlockingIOError(11, "nothing now")
        return piece

    @contextlib.contextmanager
    def having_timeout(self, timeout: float | None) -> Iterator[None]:
        yield


def connected(pieces: list[bytes], taken: list[Any]) -> RabbitConnection:
    """A connection on that wire with two channels, whose consumers put messages into ``taken``."""
    connection = RabbitConnection()
    connection.transport = Wire(pieces)
    connection.on_inbound_frame = frame_handler(connection, connection.on_inbound_method)
    for number in (1, 2):
        channel = RabbitChannel(connection, channel_id=number)
        channel.callbacks["ours"] = lambda raw, channel=channel: taken.append(channel.message_to_python(raw))
    return connection


def drain(connection: RabbitConnection) -> None:
    with contextlib.suppress(TimeoutError):
        while True:
            connection.drain_events(timeout=0)


@given(
    bodies=st.lists(st.binary(max_size=120), min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 400), max_size=40),
    heartbeats=st.sets(st.integers(0, 12)),
)
@settings(max_examples=200, deadline=None)
def test_any_cut_gives_the_same_messages(bodies: list[bytes], cuts: list[int], heartbeats: set[int]) -> None:
    stream = b"".join(
        delivery(tag, body, channel=1 + tag % 2) + (HEARTBEAT if tag in heartbeats else b"")
        for tag, body in enumerate(bodies)
    )
    pieces = []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    taken: list[Any] = []
    drain(connected([piece for piece in [*pieces, stream] if piece], taken))
    assert [message.delivery_tag for message in taken] == list(range(len(bodies)))
    assert [bytes(message.body or b"") for message in taken] == bodies
    assert [message.headers for message in taken] == [{"id": str(tag), "none": None} for tag in range(len(bodies))]
    assert all(message.channel.channel_id == 1 + message.delivery_tag % 2 for message in taken)


def test_one_call_handles_all_that_was_read() -> None:
    """The event loop watches the socket: what lies in the buffer must not wait for more to come."""
    taken: list[Any] = []
    connection = connected([b"".join(delivery(tag, b"{}") for tag in range(5))], taken)
    connection.drain_events(timeout=0)
    assert len(taken) == 5
    assert all(isinstance(message, RabbitMessage) for message in taken)


def test_a_callback_may_wait_for_more() -> None:
    """As one that declares a queue does: the frames behind its own are handled meanwhile, none of them twice."""
    order: list[int] = []
    connection = connected([b"".join(delivery(tag, b"{}") for tag in range(6))], [])

    def take(message: Any) -> None:
        order.append(message.delivery_tag)
        if message.delivery_tag == 1:
            connection.drain_events(timeout=0)

    connection.channels[1].callbacks["ours"] = take
    connection.drain_events(timeout=0)
    assert order == list(range(6))


def test_a_callback_that_fails_loses_no_other_message() -> None:
    order: list[int] = []
    connection = connected([b"".join(delivery(tag, b"{}") for tag in range(4))], [])

    def take(message: Any) -> None:
        order.append(message.delivery_tag)
        if message.delivery_tag == 1:
            raise ValueError("odd")

    connection.channels[1].callbacks["ours"] = take
    with pytest.raises(ValueError, match="odd"):
        connection.drain_events(timeout=0)
    drain(connection)
    assert order == list(range(4))


def test_a_broken_frame_is_an_error() -> None:
    connection = connected([delivery(1, b"{}")[:-1] + b"\x00"], [])
    with pytest.raises(UnexpectedFrame):
        connection.drain_events(timeout=0)


def test_an_ended_connection_is_an_error() -> None:
    connection = connected([b""], [])
    with pytest.raises(OSError, match="closed"):
        connection.drain_events(timeout=0)
    assert not connection.transport.connected


def test_a_delivery_behind_the_consent_finds_its_consumer() -> None:
    """RabbitMQ sends what waits in the queue right behind its ``basic.consume-ok``; one read takes both."""
    taken: list[Any] = []
    connection = connected([], [])
    channel = connection.channels[1]

    def answer(kind: int, number: int, method: Any, arguments: bytes, content: Any) -> None:
        consumer = tag_in(arguments)
        consent = frame(1, number, b"\x00\x3c\x00\x15" + dumps("s", (consumer,)))
        whole = delivery(1, b"{}", consumer=consumer)
        in_pieces = delivery(2, b"{}" * 99, consumer=consumer)
        connection.transport = Wire([consent + whole + in_pieces])

    connection.frame_writer = answer
    tag = channel.basic_consume("waiting", callback=taken.append)
    assert [message.delivery_tag for message in taken] == [1, 2]
    assert channel.callbacks[tag] == taken.append


def tag_in(arguments: bytes) -> str:
    """The consumer's tag among the arguments of ``basic.consume``: a number and the queue's name come first."""
    at = 2 + 1 + arguments[2]
    return arguments[at + 1 : at + 1 + arguments[at]].decode()
