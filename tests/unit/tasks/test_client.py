"""One process's own line to the workers, on a real Redis and on none."""

from __future__ import annotations

import pytest

from sluice.config.settings import Settings, read
from sluice.tasks import keys
from sluice.tasks.client import Client
from sluice.tasks.errors import BrokerUnavailable
from sluice.tasks.redis_client import connect


def test_an_empty_queue_holds_nothing(settings: Settings) -> None:
    with Client(settings) as client:
        assert client.waiting("bulk") == 0


def test_an_absent_broker_is_said(settings: Settings) -> None:
    away = read(_env_file=None, broker_url="redis://127.0.0.1:1/0", result_backend=settings.backend)
    with Client(away) as client, pytest.raises(BrokerUnavailable):
        client.waiting("bulk")


def test_cancelled_envelopes_are_written_down_for_workers_that_start_later(settings: Settings) -> None:
    with Client(settings) as client:
        client.revoke(["gone"])
        client.revoke([])
    with connect(settings.backend) as store:
        assert store.zscore(keys.REVOKED, "gone")


def test_cancelling_without_servers_is_no_error() -> None:
    away = read(_env_file=None, broker_url="redis://127.0.0.1:1/0")
    with Client(away) as client:
        client.revoke(["gone"])
