"""Celery's records of a connection that is lost are taken for the condition, as the installed Celery writes them."""

from __future__ import annotations

import logging
from typing import Any
from unittest.mock import MagicMock

import pytest
from celery.worker.consumer import consumer

from sluice.worker.consumer.patches.connectivity import lost_by


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record)


@pytest.fixture
def records() -> Any:
    handler = Records()
    consumer.logger.addHandler(handler)
    yield handler.seen
    consumer.logger.removeHandler(handler)


@pytest.mark.filterwarnings("ignore")
def test_celery_tells_of_a_lost_connection_in_a_way_that_is_understood(records: list[logging.LogRecord]) -> None:
    error = ConnectionResetError(104, "reset")
    c = MagicMock(spec=consumer.Consumer)
    c.app = MagicMock()
    c.app.conf.worker_enable_prefetch_count_reduction = False
    c.app.conf.worker_cancel_long_running_tasks_on_connection_loss = False
    c.connection = MagicMock(connection_errors=(OSError,), channel_errors=())
    c.conninfo = MagicMock()
    try:
        raise error
    except OSError as exc:  # as in Celery's own loop
        consumer.Consumer.on_connection_error_after_connected(c, exc)
        consumer.Consumer.on_connection_error_before_connected(c, exc)
    told = [lost_by(record) for record in records if record.levelno >= logging.WARNING]
    assert told == [error, error]


def test_other_records_are_left_alone() -> None:
    for message, arguments in (("Connected to %s", ("redis://",)), ("%s (%r)", ("something else", OSError()))):
        record = logging.LogRecord("celery", logging.WARNING, "", 0, message, arguments, None)
        assert lost_by(record) is None
