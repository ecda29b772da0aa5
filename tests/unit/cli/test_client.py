"""A command's line to the broker, on a real Redis and on none."""

from __future__ import annotations

import pytest

from cli.client import Client
from config.settings import Settings, read
from tasks.errors import BrokerUnavailable


def test_an_empty_queue_holds_nothing(service: Settings) -> None:
    with Client(service) as client:
        assert client.waiting("bulk") == 0


def test_an_absent_broker_is_said(service: Settings) -> None:
    away = read(_env_file=None, broker_url="redis://127.0.0.1:1/0", result_backend=service.backend)
    with Client(away) as client, pytest.raises(BrokerUnavailable):
        client.waiting("bulk")
