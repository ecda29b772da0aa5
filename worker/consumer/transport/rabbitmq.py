"""RabbitMQ: many frames per read, and a delivery's three frames in one step.

py-amqp asks the socket nine times for each message and takes each of its three frames through generators, state
machines and a generic reader. Here one read takes what is there, and a delivery that is complete in it becomes a
message at once. Everything else goes frame by frame through py-amqp itself.
"""

from __future__ import annotations

import errno
from struct import Struct
from uuid import uuid4

from amqp.exceptions import UnexpectedFrame
from kombu.transport import pyamqp

from sluice.worker.consumer.transport.kombu_types import Handler, Hub, Table
from sluice.worker.consumer.transport.message import FramedMessage, RabbitMessage
from sluice.worker.consumer.transport.tables import read_deliver, read_properties

READ_BYTES = 65_536
#: What a socket says that has nothing to read now.
NOTHING_NOW = (errno.EAGAIN, errno.EINTR, errno.ENOENT)

#: Type, channel and size of a frame; its payload and one closing octet follow.
FRAME = Struct(">BHI").unpack_from
FRAME_HEAD, FRAME_OVERHEAD, FRAME_END = 7, 8, 0xCE
METHOD, HEADER, BODY = 1, 2, 3
#: Class 60, method 60: ``basic.deliver``.
DELIVER = b"\x00\x3c\x00\x3c"
DELIVER_SIG = (60, 60)
BODY_SIZE = Struct(">Q").unpack_from
BODY_SIZE_AT, PROPERTIES_AT = 4, 12
NO_PROPERTIES = b"\0\0"


def properties_of(buffer: bytes, at: int) -> Table:
    """The properties of a message; none where they are no table that this client can read, such as a date of year 0."""
    try:
        return read_properties(buffer, at)
    except Exception:
        return {}


def harmless(header: bytes) -> bytes:
    """A content header that py-amqp can read: it would end the connection over the other, and get it again."""
    try:
        read_properties(header, PROPERTIES_AT)
    except Exception:
        return header[:PROPERTIES_AT] + NO_PROPERTIES
    return header


class RabbitChannel(pyamqp.Channel):
    """A channel whose deliveries may be messages already."""

    Message = FramedMessage

    def basic_consume(
        self,
        queue: str = "",
        consumer_tag: str = "",
        *args: object,
        callback: Handler | None = None,
        **options: object,
    ) -> str:
        """Consume, with the callback in its place before RabbitMQ hears of the consumer.

        py-amqp puts it there when RabbitMQ has agreed; but deliveries that were read together with that answer are
        handled with it. Without a callback they would be rejected, which closes the channel of a consumer that
        acknowledges nothing.
        """
        consumer_tag = consumer_tag or uuid4().hex
        self.callbacks[consumer_tag] = callback
        try:
            tag: str = super().basic_consume(queue, consumer_tag, *args, callback=callback, **options)
        except BaseException:
            self.callbacks.pop(consumer_tag, None)
            raise
        return tag

    def message_to_python(self, raw_message: object) -> object:
        if isinstance(raw_message, RabbitMessage):
            return raw_message
        return super().message_to_python(raw_message)


class RabbitConnection(pyamqp.Connection):
    """py-amqp's connection with a read buffer. One thread's, as py-amqp's is for reading."""

    Channel = RabbitChannel

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self._read = b""
        self._at = 0

    def drain_events(self, timeout: float | None = None) -> None:
        """Wait for a method, then handle every one that has been read.

        None may stay behind: the event loop looks at the socket, and does not see what was read from it.

        Raises:
            TimeoutError: nothing came in time.
            OSError: the connection is lost.
        """
        while not self._handle_frames():
            with self.transport.having_timeout(timeout):
                self._receive()

    def collect(self) -> None:
        super().collect()
        self._read, self._at = b"", 0

    def _receive(self) -> None:
        transport = self.transport
        try:
            received = transport._quick_recv(READ_BYTES)
        except OSError as exc:
            if isinstance(exc, TimeoutError) or exc.errno in NOTHING_NOW or "timed out" in str(exc):
                raise TimeoutError from None
            transport.connected = False
            raise
        if not received:
            transport.connected = False
            raise OSError("Server unexpectedly closed connection")
        self._read = self._read[self._at :] + received
        self._at = 0

    def _handle_frames(self) -> bool:
        """Handle the complete frames that were read; returns whether a method was among them."""
        handled = False
        while (length := len(self._read) - self._at) > FRAME_HEAD:
            read, at = self._read, self._at
            kind, channel_id, size = FRAME(read, at)
            if length < size + FRAME_OVERHEAD:
                break
            if kind == METHOD and read[at + 7 : at + 11] == DELIVER and self._deliver(read, at, channel_id, size):
                handled = True
                continue
            # Before it is handled: a callback may wait for an answer, and so come here again.
            self._at = end = at + size + FRAME_OVERHEAD
            if read[end - 1] != FRAME_END:
                raise UnexpectedFrame(f"Received frame_end {read[end - 1]:#04x} while expecting 0xce")
            payload = read[at + FRAME_HEAD : end - 1]
            if self.on_inbound_frame((kind, channel_id, harmless(payload) if kind == HEADER else payload)):
                handled = True
        return handled

    def _deliver(self, read: bytes, at: int, channel_id: int, size: int) -> bool:
        """Handle a delivery if all of it is there in three frames and someone is waiting for it."""
        header = at + size + FRAME_OVERHEAD
        length = len(read)
        if length - header <= FRAME_HEAD:
            return False
        kind, header_channel, header_size = FRAME(read, header)
        body = header + header_size + FRAME_OVERHEAD
        if kind != HEADER or header_channel != channel_id or length - body <= FRAME_HEAD:
            return False
        kind, body_channel, body_size = FRAME(read, body)
        end = body + body_size + FRAME_OVERHEAD
        if kind != BODY or body_channel != channel_id or length < end:
            return False
        header += FRAME_HEAD
        if BODY_SIZE(read, header + BODY_SIZE_AT)[0] != body_size or not (
            read[header - FRAME_OVERHEAD] == read[body - 1] == read[end - 1] == FRAME_END
        ):
            return False
        channel = (self.channels or {}).get(channel_id)
        if channel is None or channel.is_closing or DELIVER_SIG in channel._pending:
            return False
        info = read_deliver(read, at + FRAME_HEAD + len(DELIVER))
        callback = channel.callbacks.get(info["consumer_tag"])
        if callback is None:
            return False
        properties = properties_of(read, header + PROPERTIES_AT)
        self._at = end
        self.bytes_recv += 3
        callback(RabbitMessage(read[body + FRAME_HEAD : end - 1], info, properties, channel))
        return True


class RabbitTransport(pyamqp.Transport):
    """Kombu's transport with that connection."""

    Connection = RabbitConnection

    def register_with_event_loop(self, connection: RabbitConnection, loop: Hub) -> None:
        super().register_with_event_loop(connection, loop)

        def look_again() -> None:
            # Only after an error in the middle of what was read; the socket alone would not tell of the rest.
            if not connection.connected:
                loop.on_tick.discard(look_again)
            elif connection._at < len(connection._read):
                self.on_readable(connection, loop)

        loop.on_tick.add(look_again)
