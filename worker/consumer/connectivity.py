"""What Celery's consumer logs of its broker connection: once when it is lost, once when it is back.

Celery itself prints a traceback, a deprecation warning of its own and then two lines at every try.
"""

from __future__ import annotations

import logging
import warnings

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.worker.consumer import connection, consumer, mingle

from sluice.tasks.app import settings_of
from sluice.tasks.server import Condition, Server

log = logging.getLogger(__name__)


class ConnectionFilter(logging.Filter):
    """Takes Celery's records of a lost connection for the condition, and drops what a try that failed has said."""

    def __init__(self, condition: Condition) -> None:
        super().__init__()
        self._condition = condition

    def filter(self, record: logging.LogRecord) -> bool:
        error = None
        if record.msg == consumer.CONNECTION_ERROR and isinstance(record.args, tuple):
            error = record.args[1]
        elif record.msg == consumer.CONNECTION_RETRY and record.exc_info:
            error = record.exc_info[1]
        if isinstance(error, BaseException):
            self._condition.lost(error)
            return False
        return not (self._condition.lasts and record.levelno < logging.WARNING)


def install(app: Celery) -> Condition:
    """Put the filter on Celery's loggers; returns the condition, to be told when messages are consumed again."""
    condition = Condition(Server.broker(settings_of(app)), log, "trying again every few seconds")
    for module in (consumer, connection, mingle):
        module.logger.addFilter(ConnectionFilter(condition))
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    return condition
