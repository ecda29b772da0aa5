"""Where follow-ups go, and how they get there. All in the result writer.

A follow-up goes where its own options say, as from any Celery worker. It is sent through an app of its own: the
worker's app knows two queues and creates none, while a caller's queue is the caller's. One that names no destination
goes, with Celery, to the *worker's* default queue; nobody but ``classify`` is at home in ours, so that is refused in
words.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from celery import Celery
from kombu import Connection, Exchange, Queue
from kombu.compression import get_encoder
from kombu.messaging import Producer
from kombu.transport.virtual import Channel as VirtualChannel

from sluice.tasks.amqp import PrivateAMQP
from sluice.tasks.app import EXCHANGE_NAME, settings_of
from sluice.tasks.envelope import QUEUES, TASK_NAME, log_safe
from sluice.tasks.outage import is_outage
from sluice.worker.delivery.patience import Patiently

Options = dict[str, Any]
"""Keywords with which Celery and kombu publish, as a client may have written them."""

#: Seconds for a write to the broker and for its confirmation: RabbitMQ may hold up those who publish.
PUBLISH_TIMEOUT_S = 10.0
#: Times that a broker which can be reached may lose a follow-up: its server ends the connection over what it is sent.
MOST_LOST = 3
#: Of the worker's configuration.
SHARED_CONF = (
    "broker_url",
    "broker_transport_options",
    "broker_heartbeat",
    "result_expires",
    "result_accept_content",
    "result_serializer",
    "accept_content",
    "task_serializer",
    "enable_utc",
    "timezone",
)


class NotSent(Exception):
    """A follow-up cannot be sent; the text says why, and may be shown."""


class Router:
    """Celery's router for follow-ups: exchange and routing key from what the signature says."""

    def route(self, options: Options, name: str, *_: object) -> Options:
        """``options`` with a destination in them.

        Raises:
            NotSent: they name none, or one that is none.
        """
        options = dict(options)
        named = [options.pop(key, None) for key in ("queue", "exchange", "routing_key")]
        options.pop("declare", None)
        if not all(one is None or isinstance(one, str) for one in named):
            raise NotSent("its queue, exchange or routing_key is not a text")
        exchange, key = _destination(name, *named)
        if max(len(exchange.encode()), len(key.encode())) > 255:
            raise NotSent("its queue, exchange or routing_key is longer than 255 bytes")
        # Of another type than direct, so that Celery leaves exchange and key as they are.
        return {**options, "exchange": exchange, "routing_key": key, "exchange_type": "topic"}


def _destination(name: str, queue: str | None, exchange: str | None, key: str | None) -> tuple[str, str]:
    """Exchange and routing key."""
    if queue:
        return (EXCHANGE_NAME, queue) if queue in QUEUES.values() else ("", queue)
    if exchange:
        # Celery gives an app's default queue, its exchange and its routing key one name.
        return exchange, key or exchange
    if key:
        return (EXCHANGE_NAME, key) if key in QUEUES.values() else ("", key)
    if name == TASK_NAME:
        return EXCHANGE_NAME, QUEUES["interactive"]
    raise NotSent("it names no queue: say .set(queue=…) with the queue that its worker takes")


class FollowUpAMQP(PrivateAMQP):
    def Router(self, queues: object = None, create_missing: object = None) -> Router:  # noqa: N802 Celery's name
        return Router()

    def _retry_publish(self, publish: Callable[..., object], *args: object, **options: object) -> object:
        """What Celery, from 5.7 on, sends chords' callbacks with; its own tries again by itself, as the sender does."""
        return publish(*args, **options)


def _publish(producer: Producer, body: object, exchange: str, routing_key: str, options: Options) -> None:
    """Publish one message so that what reaches no queue is an error.

    Raises:
        NotSent: no queue takes it, or this worker cannot write it.
    """
    _check_compression(options.get("compression"))
    options = dict(options, retry=False, declare=[], exchange=exchange, routing_key=routing_key)
    channel = producer.channel
    if isinstance(channel, VirtualChannel):
        if exchange and not channel._lookup(exchange, routing_key):
            raise _unroutable(exchange, routing_key)
        producer.publish(body, **options)
        return
    options.update(mandatory=True, timeout=PUBLISH_TIMEOUT_S, confirm_timeout=PUBLISH_TIMEOUT_S)
    if _arrives(producer, body, options):
        return
    if exchange:
        raise _unroutable(exchange, routing_key)
    # A queue whose worker has never run: made as Celery makes it, so that the message waits for that worker.
    Queue(routing_key, Exchange(routing_key), routing_key)(channel).declare()
    _arrives(producer, body, options)


def _arrives(producer: Producer, body: object, options: Options) -> bool:
    """Publish to RabbitMQ; whether the message got into a queue."""
    returned: list[object] = []
    # What comes back comes before the confirmation, which publishing waits for.
    producer.channel.events["basic_return"] = {lambda *why: returned.append(why)}
    producer.publish(body, **{**options, "headers": dict(options.get("headers") or {})})
    return not returned


def _check_compression(name: object) -> None:
    try:
        if name:
            get_encoder(name)
    except (KeyError, TypeError):
        raise NotSent(f"this worker does not have the compression {log_safe(str(name))!r}") from None


def _unroutable(exchange: str, routing_key: str) -> NotSent:
    return NotSent(f"no queue is bound to exchange {exchange!r} with routing key {routing_key!r}")


class Sender:
    """What Celery takes for its producer: publishes over one connection of its own, made anew when it is lost.

    Args:
        connect: gives a connection to the broker.
        patiently: calls what it is given until its server takes it; raises ``Interrupted`` when the worker must end.
    """

    def __init__(self, connect: Callable[[], Connection], patiently: Patiently) -> None:
        self._connect, self._patiently = connect, patiently
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    @property
    def connection(self) -> Sender:
        return self

    def _reraise_as_library_errors(self) -> AbstractContextManager[None]:
        return nullcontext()

    def publish(self, body: object, exchange: str, routing_key: str, **options: object) -> None:
        """Send one message, however long the broker is away.

        Raises:
            NotSent: it cannot be sent at all.
            Interrupted: the broker is away, and the worker is to end.
        """
        lost = 0

        def attempt() -> None:
            nonlocal lost
            try:
                _publish(self._ready(), body, exchange, routing_key, options)
            except BaseException as exc:
                lost += self._producer is not None and is_outage(exc)
                self.close()
                if lost >= MOST_LOST:
                    raise NotSent(f"the broker ends the connection over it ({type(exc).__name__})") from exc
                raise

        self._patiently(attempt)

    def _ready(self) -> Producer:
        if self._producer is None:
            self._connection = self._connect()
            self._connection.connect()
            self._producer = Producer(self._connection.channel(), auto_declare=False)
        return self._producer

    def close(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with suppress(Exception):
                connection.release()


class FollowUpApp(Celery):
    """A Celery app that sends with a ``Sender``.

    Args:
        app: the worker's, for broker, result backend and what is JSON.
        patiently: as for ``Sender``.
    """

    def __init__(self, app: Celery, patiently: Patiently) -> None:
        super().__init__(
            "sluice-follow-ups",
            amqp="sluice.worker.delivery.forwarding:FollowUpAMQP",
            fixups=[],
            loader="app",
            set_as_current=False,
        )
        self.sluice_settings, self.backend_cls = settings_of(app), app.backend_cls
        self.conf.update({name: getattr(app.conf, name) for name in SHARED_CONF})
        self.sender = Sender(self.connection_for_write, patiently)

    def producer_or_acquire(self, producer: Any = None) -> Any:
        return nullcontext(self.sender if producer is None else producer)
