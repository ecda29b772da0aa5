"""Looking at queues that are empty, missing or full, on both brokers."""

from __future__ import annotations

from kombu import Queue

from sluice.harness.worker import client_app
from sluice.tasks.queues import QueueCounter
from tests.conftest import Brokers


def test_a_missing_queue_holds_nothing_however_often_one_looks(brokers: Brokers) -> None:
    with client_app(brokers.env()).connection_for_write() as connection:
        counter = QueueCounter(connection)
        for _ in range(5):
            assert counter.waiting("counted") == 0
        opened = len(connection.connection.channels)
        for _ in range(5):
            assert counter.waiting("counted") == 0
        assert len(connection.connection.channels) == opened
        queue = Queue("counted", durable=True)
        with connection.Producer() as producer:
            producer.publish("one", routing_key="counted", declare=[queue], retry=False)
        assert counter.waiting("counted") == 1
        queue(connection.channel()).delete()
