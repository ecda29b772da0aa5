"""Keeps message bodies out of what Celery and kombu write.

Celery logs the whole body of a message it cannot read or has no task for: ``rejects.py`` takes its place. Kombu logs
that of one it cannot give back, and even pickles those into a file under /tmp. Such a message may hold SMS.
"""

from __future__ import annotations

import logging

from celery.backends import redis as celery_redis
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import base as kombu_virtual

#: Log formats that print a message body, and what is logged in their place.
REDACTED = {"Could not restore message: %r": "A message could not be given back to the broker."}


class BodyFilter(logging.Filter):
    """Replaces records that would print a message body; the traceback goes too, it quotes arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg in REDACTED:
            record.msg, record.args = REDACTED[record.msg], ()
            record.exc_info = record.exc_text = None
        return True


class OneLineFilter(logging.Filter):
    """Leaves the traceback out of a record that says in its line what went wrong: a chord's callback, say."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        return True


def install() -> None:
    """Put the filters on the loggers concerned, and let kombu dump nothing: its Redis holds those messages still."""
    kombu_redis.logger.addFilter(BodyFilter())
    celery_redis.logger.addFilter(OneLineFilter())
    kombu_virtual.emergency_dump_state = lambda *_, **__: None
