"""A queue that is deleted while its senders run: what they send afterwards is in a new one, not lost in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kombu import Connection

from sluice.harness.worker import client_app
from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.publisher import Publisher
from tests.conftest import Brokers, drop_queues

QUEUE = QUEUES["interactive"]


def _publisher(app: Any) -> Iterator[Callable[[str], Any]]:
    with Publisher(app) as publisher:
        yield lambda text: publisher.publish([text])


def _client(app: Any) -> Iterator[Callable[[str], Any]]:
    yield app.tasks[TASK_NAME].delay


@pytest.mark.parametrize("sender", [_publisher, _client])
def test_what_is_sent_after_a_queue_was_deleted_waits_in_a_new_one(
    brokers: Brokers, sender: Callable[[Any], Iterator[Callable[[str], Any]]]
) -> None:
    with Connection(brokers.broker.url) as connection:
        for send in sender(client_app(brokers.env())):
            send("before")
            if brokers.kind == "rabbitmq":
                drop_queues(brokers.broker.url)
            else:
                connection.default_channel.client.flushall()
            send("after")
            send("after that")
            found = connection.channel().queue_declare(QUEUE, passive=True)
            assert found.message_count == 2
            drop_queues(brokers.broker.url)
