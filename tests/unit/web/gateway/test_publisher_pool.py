"""Publishers that request threads share."""

from __future__ import annotations

import pytest
from celery import Celery

from sluice.tasks.errors import BrokerUnavailable
from sluice.tasks.publisher import Publisher
from sluice.web.gateway.publisher_pool import PublisherPool


class Closed(Publisher):
    """Counts how often it gave its connection back."""

    times = 0

    def close(self) -> None:
        self.times += 1
        super().close()


def test_a_publisher_whose_block_fails_is_lent_again_with_a_new_channel(celery_app: Celery) -> None:
    publishers = PublisherPool(lambda: Closed(celery_app), 1)
    with pytest.raises(ZeroDivisionError), publishers.acquire() as first:
        first.publish(["hello"])
        1 / 0  # noqa: B018
    assert isinstance(first, Closed)
    assert first.times == 1
    with publishers.acquire() as second:
        assert second is first
    publishers.close()


def test_who_waits_too_long_for_a_publisher_is_told(celery_app: Celery) -> None:
    publishers = PublisherPool(lambda: Publisher(celery_app), 1, wait_s=0.05)
    with publishers.acquire(), pytest.raises(BrokerUnavailable, match="too many jobs"), publishers.acquire():
        pass
