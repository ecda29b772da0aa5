"""Reads what RabbitMQ sends with each message: delivery, properties, headers. Pure functions over bytes.

py-amqp reads these with one generic reader, field by field; here the fields that task messages have are read in line,
and anything else is left to py-amqp.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from amqp.serialization import _read_item, decode_properties_basic

from sluice.worker.consumer.transport.kombu_types import Table

LONG = Struct(">I").unpack_from
SIGNED = Struct(">i").unpack_from
FLAGS = Struct(">H").unpack_from
TAG = Struct(">QB").unpack_from

#: Names of headers seen before; bounded, for a client may invent names.
_names: dict[bytes, str] = {}
MOST_NAMES = 1000

#: Property flags of AMQP's ``basic`` class.
CONTENT_TYPE, CONTENT_ENCODING, HEADERS, DELIVERY_MODE = 0x8000, 0x4000, 0x2000, 0x1000
PRIORITY, CORRELATION_ID, REPLY_TO = 0x0800, 0x0400, 0x0200
#: Those that task messages do not have.
OTHERS = 0x01FF


def read_deliver(buffer: bytes, at: int) -> Table:
    """The arguments of ``basic.deliver``: kombu's ``delivery_info``."""
    stop = at + 1 + buffer[at]
    consumer_tag = buffer[at + 1 : stop].decode()
    delivery_tag, bits = TAG(buffer, stop)
    at = stop + 9
    stop = at + 1 + buffer[at]
    exchange = buffer[at + 1 : stop].decode()
    routing_key = buffer[stop + 1 : stop + 1 + buffer[stop]].decode("utf-8", "surrogatepass")
    return {
        "consumer_tag": consumer_tag,
        "delivery_tag": delivery_tag,
        "redelivered": bits & 1 == 1,
        "exchange": exchange,
        "routing_key": routing_key,
    }


def read_properties(buffer: bytes, at: int) -> Table:
    """The properties of a content header, ``application_headers`` among them."""
    (flags,) = FLAGS(buffer, at)
    if flags & OTHERS:
        properties: Table = decode_properties_basic(buffer, at)[0]
        return properties
    found: Table = {}
    at += 2
    if flags & CONTENT_TYPE:
        found["content_type"], at = _short(buffer, at)
    if flags & CONTENT_ENCODING:
        found["content_encoding"], at = _short(buffer, at)
    if flags & HEADERS:
        stop = at + 4 + LONG(buffer, at)[0]
        found["application_headers"] = read_table(buffer, at + 4, stop)
        at = stop
    if flags & DELIVERY_MODE:
        found["delivery_mode"] = buffer[at]
        at += 1
    if flags & PRIORITY:
        found["priority"] = buffer[at]
        at += 1
    if flags & CORRELATION_ID:
        found["correlation_id"], at = _short(buffer, at)
    if flags & REPLY_TO:
        found["reply_to"], at = _short(buffer, at)
    return found


def read_table(buffer: bytes, at: int, stop: int) -> Table:
    """A field table whose fields lie in ``buffer[at:stop]``."""
    found: Table = {}
    while at < stop:
        value_at = at + 1 + buffer[at]
        key = buffer[at + 1 : value_at]
        name = _names.get(key)
        if name is None:
            name = _name(key)
        kind = buffer[value_at]
        value: object = None
        if kind == 0x53:  # S, a text
            at = value_at + 5 + LONG(buffer, value_at + 1)[0]
            value = _text(buffer[value_at + 5 : at])
        elif kind == 0x56:  # V, nothing
            at = value_at + 1
        elif kind == 0x49:  # I, a number
            (value,) = SIGNED(buffer, value_at + 1)
            at = value_at + 5
        elif kind == 0x74:  # t, a truth
            value = buffer[value_at + 1] != 0
            at = value_at + 2
        elif kind == 0x46:  # F, a table
            at = value_at + 5 + LONG(buffer, value_at + 1)[0]
            value = read_table(buffer, value_at + 5, at)
        elif kind == 0x41:  # A, a list
            at = value_at + 5 + LONG(buffer, value_at + 1)[0]
            value = _read_list(buffer, value_at + 5, at)
        else:
            value, at = _read_item(buffer, value_at)
        found[name] = value
    return found


def _read_list(buffer: bytes, at: int, stop: int) -> list[object]:
    if buffer.count(b"V", at, stop) == stop - at:  # such is the time limit of most tasks: two nothings
        return [None] * (stop - at)
    found = []
    while at < stop:
        value, at = _read_item(buffer, at)
        found.append(value)
    return found


def _text(raw: bytes) -> str | bytes:
    """A text; one that is no UTF-8 stays as it came, as with py-amqp."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _name(key: bytes) -> Any:
    name = _text(key)
    if isinstance(name, str) and len(_names) < MOST_NAMES:
        _names[key] = name
    return name


def _short(buffer: bytes, at: int) -> tuple[str, int]:
    stop = at + 1 + buffer[at]
    return buffer[at + 1 : stop].decode(), stop
