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
from sluice.tasks.server import Availability, Server

log = logging.getLogger(__name__)


class ConnectionFilter(logging.Filter):
    """Takes Celery's records of a lost connection for the availability, and drops what a try that failed has said."""

    def __init__(self, availability: Availability) -> None:
        super().__init__()
        self._availability = availability

    def filter(self, record: logging.LogRecord) -> bool:
        if (error := lost_by(record)) is not None:
            self._availability.lost(error)
            return False
        return not (self._availability.lasts and record.levelno < logging.WARNING)


def lost_by(record: logging.LogRecord) -> BaseException | None:
    """The error with which Celery's consumer lost its connection, or did not get one; None if it tells of no such."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    error: object = None
    if record.msg == consumer.CONNECTION_ERROR:
        error = arguments[1]
    elif record.msg == consumer.CONNECTION_RETRY and record.exc_info:  # Celery 5.6
        error = record.exc_info[1]
    elif arguments[:1] == (consumer.CONNECTION_RETRY,):  # Celery 5.7
        error = arguments[1]
    return error if isinstance(error, BaseException) else None


def install(app: Celery) -> Availability:
    """Put the filter on Celery's loggers; returns the availability, to be told when messages are consumed again."""
    availability = Availability(Server.broker(settings_of(app)), log, "trying again every few seconds")
    for module in (consumer, connection, mingle):
        module.logger.addFilter(ConnectionFilter(availability))
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    return availability
