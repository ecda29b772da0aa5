"""The shapes of Celery's objects, as far as the worker uses them: Celery carries no types.

What Celery makes and hands to us is annotated with these; that the attributes are there is held by ``docs/celery.md``
and its test. Those of kombu are in ``transport/kombu_types.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from sluice.worker.consumer.transport.kombu_types import (
    Errors,
    Handler,
    Headers,
    Hub,
    Message,
    MessageConsumer,
    Timer,
)

if TYPE_CHECKING:
    from celery import Celery
    from kombu import Connection
    from kombu.common import QoS

    from sluice.tasks.errors import SluiceError
    from sluice.tasks.server import Availability
    from sluice.worker.consumer.window import Window
    from sluice.worker.pipeline import Pipeline

MakeHandler = Callable[[], Handler]
"""What makes the handler of each message: the consumer's ``create_task_handler``."""
Settle = Callable[..., object]
"""Acknowledges or rejects a message later, on the main thread."""


class Strategy(Protocol):
    """What Celery asks for once a connection, and calls with each task message."""

    def __call__(
        self, message: Message, body: object, ack: Settle, reject: Settle, callbacks: Iterable[Callable[..., object]]
    ) -> None: ...
    def refuse(self, message: Message, headers: Headers, error: SluiceError) -> None: ...


class Dispatcher(Protocol):
    """Celery's sender of events."""

    enabled: bool

    def flush(self) -> None: ...


class Room(Protocol):
    """A lane's place for envelopes that wait for their time."""

    def more(self) -> None:
        """One begins to wait."""

    def less(self) -> None:
        """It is due."""


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
