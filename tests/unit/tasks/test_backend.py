"""A result object that is thrown away lets go of its channel, and waits for no server that is gone."""

from __future__ import annotations

from unittest.mock import MagicMock

import pytest
import redis

from sluice.config import settings as config
from sluice.tasks.app import make_celery
from sluice.tasks.backend import CalmConsumer


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> CalmConsumer:
    consumer: CalmConsumer = make_celery(
        config.read(broker_url="redis://", result_backend="redis://")
    ).backend.result_consumer
    monkeypatch.setattr(consumer, "_pubsub", MagicMock())
    monkeypatch.setattr(consumer, "_reconnect", MagicMock())
    consumer.subscribed_to.add(consumer._get_key_for_task("one"))
    return consumer


def test_letting_go_of_a_result_unsubscribes(consumer: CalmConsumer) -> None:
    consumer.cancel_for("one")
    consumer._pubsub.unsubscribe.assert_called_once_with(consumer._get_key_for_task("one"))
    assert not consumer.subscribed_to


def test_letting_go_of_a_result_does_not_wait_for_a_server_that_is_gone(consumer: CalmConsumer) -> None:
    consumer._pubsub.unsubscribe.side_effect = redis.ConnectionError("gone")
    consumer.cancel_for("one")
    consumer._reconnect.assert_not_called()
    assert not consumer.subscribed_to


def test_waiting_for_a_result_does(consumer: CalmConsumer) -> None:
    consumer._pubsub.subscribe.side_effect = redis.ConnectionError("gone")
    consumer.consume_from("two")
    consumer._reconnect.assert_called_once_with()
