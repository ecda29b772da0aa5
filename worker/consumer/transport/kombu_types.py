"""The shapes of kombu's objects, as far as the worker uses them: its own types leave most of them open.

What kombu makes and hands to us is annotated with these; that the attributes are there is held by ``docs/celery.md``
and its test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from kombu import Queue

#: What a table of AMQP, a body of JSON or an answer to ``inspect`` holds.
Table = dict[str, Any]
#: Of a message, as its sender wrote them.
Headers = Mapping[Any, Any]
Errors = tuple[type[BaseException], ...]


class Channel(Protocol):
    """A channel of py-amqp, or one that kombu emulates."""

    def basic_qos(self, size: int, count: int, for_all: bool, /) -> None: ...
    def basic_ack(self, tag: int, /, multiple: bool = False) -> None: ...
    def close(self) -> None: ...


class Message(Protocol):
    """kombu's message."""

    channel: Channel
    delivery_tag: Any
    delivery_info: Table
    properties: Table
    headers: Any
    content_type: str | None
    content_encoding: str | None
    body: bytes
    accept: Iterable[str] | None
    errors: list[object]
    _state: str
    _decoded_cache: object

    @property
    def payload(self) -> Any: ...
    @property
    def acknowledged(self) -> bool: ...
    def ack_log_error(self, log: logging.Logger, errors: Errors) -> None: ...
    def reject_log_error(self, log: logging.Logger, errors: Errors, requeue: bool = False) -> None: ...


class DeadLetter(Message, Protocol):
    """A message of a queue with dead letters (``transport/message.py``)."""

    def set_aside(self) -> None: ...


Handler = Callable[[Any], None]
"""Handles each message that comes."""


class MessageConsumer(Protocol):
    """kombu's consumer of some queues on one channel."""

    channel: Channel
    queues: list[Queue]

    def consume(self) -> None: ...
    def cancel(self) -> None: ...
    def cancel_by_queue(self, queue: str) -> None: ...
    def add_queue(self, queue: Queue) -> None: ...


class Entry(Protocol):
    """What a timer holds."""

    def cancel(self) -> None: ...


class Timer(Protocol):
    """The event loop's timer; times are those of ``time.monotonic``."""

    def call_at(self, when: float, action: Callable[..., object], args: tuple[object, ...], priority: int) -> Entry: ...
    def call_repeatedly(self, every_s: float, action: Callable[..., object], args: tuple[object, ...]) -> Entry: ...


class Hub(Protocol):
    """kombu's event loop. ``call_soon`` is the one method of it that other threads may call."""

    on_tick: set[Callable[[], object]]

    def call_soon(self, action: Callable[[], object]) -> object: ...
