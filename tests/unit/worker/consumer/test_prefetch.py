"""What a worker asks RabbitMQ for: each lane its own window, before it consumes, whatever ``global`` means there.

RabbitMQ up to 3.x takes a global ``basic.qos`` for the whole channel, at any time. RabbitMQ 4 has none for classic
queues, and quorum queues never had one: there it counts for consumers that come after it. kombu 5.7 tells them apart.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from celery.worker.consumer.tasks import Tasks
from kombu import Connection

from sluice.config import settings as config
from sluice.tasks.app import make_celery
from sluice.tasks.envelope import QUEUES
from sluice.worker.consumer.lanes import BULK_PREFETCH, Lanes
from sluice.worker.consumer.postponed import NewWindow, WiderWindow

WINDOW = 20


class RabbitMQ(Connection):
    """A connection to a RabbitMQ of a version, which notes what each of its channels is asked for, in order."""

    def __init__(self, version: str) -> None:
        super().__init__("amqp://")
        self._properties = {"product": "RabbitMQ", "version": version}
        self.opened: list[MagicMock] = []
        self._first = self.channel()

    @property
    def connection(self) -> Any:
        return SimpleNamespace(server_properties=self._properties)

    @property
    def default_channel(self) -> Any:
        return self._first

    def channel(self) -> Any:
        channel = MagicMock()
        channel.connection.channel.return_value.is_open = False  # where LaneQueue declares
        self.opened.append(channel)
        return channel

    def asked(self) -> list[list[Any]]:
        """By channel: ``(count, global)`` of each basic.qos, and "consume"."""
        return [
            [call.args[1:3] if "qos" in name else "consume" for call in channel.mock_calls if (name := call[0]) in ASKS]
            for channel in self.opened
        ]


ASKS = ("basic_qos", "basic_consume")


def start(connection: RabbitMQ, queue_type: str) -> Any:
    """Celery's own step for the interactive lane, then ours, then what Celery's loop begins with."""
    app = make_celery(config.read(broker_url="amqp://", result_backend="redis://", queue_type=queue_type))
    most = app.conf.worker_prefetch_multiplier
    sluice = MagicMock(capacity=SimpleNamespace(window_messages=WINDOW, first_mean=1.0))
    c = MagicMock(app=app, connection=connection, initial_prefetch_count=most, controller=MagicMock(sluice=sluice))
    Tasks(c).start(c)
    lanes = Lanes(c)
    lanes._set_interactive_window(c)
    lanes._consume(c, app.amqp.queues[QUEUES["bulk"]])
    c.task_consumer.consume()
    return c


@pytest.mark.parametrize(
    ("version", "queue_type", "for_the_channel"),
    [
        ("3.10.8", "classic", True),
        ("3.10.8", "quorum", False),
        ("4.0.0", "classic", False),
        ("4.1.4", "quorum", False),
    ],
)
def test_each_lane_has_its_window_before_it_consumes(version: str, queue_type: str, for_the_channel: bool) -> None:
    connection = RabbitMQ(version)
    c = start(connection, queue_type)
    interactive, bulk = connection.asked()
    before = interactive[: interactive.index("consume")]
    assert before[-1] == (WINDOW, for_the_channel)
    assert set(interactive[len(before) :]) == {"consume"}, "later ones would reach no consumer"
    assert bulk == [(BULK_PREFETCH, False), "consume"], "of the one consumer on its channel: alike in every version"
    assert c.qos.value == WINDOW
    # Where nothing reaches a consumer that runs, what waits for its time needs a new one.
    assert isinstance(c.rooms[False], WiderWindow if for_the_channel else NewWindow)
    assert isinstance(c.rooms[True], NewWindow)
