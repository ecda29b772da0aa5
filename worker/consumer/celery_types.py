"""The shapes of Celery's and kombu's objects, as far as the worker uses them: neither carries types.

What Celery makes and hands to us is annotated with these. ``sluice.worker.consumer.celery_types`` imports nothing of
Celery; that the attributes are there is held by ``docs/celery.md`` and its test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import logging

    from celery import Celery
    from kombu import Connection, Queue
    from kombu.common import QoS

    from sluice.tasks.errors import SluiceError
    from sluice.tasks.server import Availability
    from sluice.worker.consumer.postponed import Room
    from sluice.worker.consumer.window import Window
    from sluice.worker.pipeline import Pipeline

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
MakeHandler = Callable[[], Handler]
"""What makes it: the consumer's ``create_task_handler``."""
Settle = Callable[..., object]
"""Acknowledges or rejects a message later, on the main thread."""


class Strategy(Protocol):
    """What Celery asks for once a connection, and calls with each task message."""

    def __call__(
        self, message: Message, body: object, ack: Settle, reject: Settle, callbacks: Iterable[Callable[..., object]]
    ) -> None: ...
    def refuse(self, message: Message, headers: Headers, error: SluiceError) -> None: ...


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


class Dispatcher(Protocol):
    """Celery's sender of events."""

    enabled: bool

    def flush(self) -> None: ...


class Consumer(Protocol):
    """Celery's consumer, ``c`` in its bootsteps; the last lines are what our bootsteps add."""

    app: Celery
    controller: Controller
    connection: Connection | None
    connection_errors: Errors
    event_dispatcher: Dispatcher | None
    hostname: str
    qos: QoS
    task_consumer: MessageConsumer | None
    timer: Timer
    strategies: dict[str, Strategy]
    on_task_message: Iterable[Callable[..., object]]
    create_task_handler: MakeHandler
    add_task_queue: Callable[..., None]
    cancel_task_queue: Callable[[str], None]
    on_unknown_message: Callable[[object, Message], None]
    on_unknown_task: Callable[[object, Message, Exception], None]
    on_invalid_task: Callable[[object, Message, Exception], None]
    on_decode_error: Callable[[Message, Exception], None]
    call_soon: Callable[..., object]

    bulk_consumer: MessageConsumer | None
    dead_letter_consumer: MessageConsumer | None
    windows: dict[bool, Window]
    rooms: dict[bool, Room]


class Controller(Protocol):
    """Celery's worker, ``w`` in its bootsteps; the last lines are what our bootstep adds."""

    app: Celery
    hub: Hub | None
    hostname: str
    concurrency: int
    prefetch_multiplier: int
    pool_cls: type
    consumer: Consumer | None
    _conninfo: Connection

    sluice: Pipeline | None
    broker_availability: Availability


class ControlState(Protocol):
    """What a remote control command gets."""

    consumer: Consumer


def pipeline_of(c: Consumer) -> Pipeline:
    """The pipeline, which is there before a connection is."""
    assert c.controller.sluice is not None
    return c.controller.sluice
