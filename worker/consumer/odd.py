"""Messages so odd that Celery's own handling of odd messages fails: the worker must survive them.

Celery lets such an error end the process, the broker delivers the message again, and the next worker ends too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from celery.utils.log import get_logger
from celery.worker.consumer.gossip import Gossip
from kombu.exceptions import ContentDisallowed, DecodeError

log = get_logger(__name__)

#: What a message of the wrong shape raises. Anything else is no fault of the message.
WRONG_SHAPE = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError)


def unharmed(c: Any, make_handler: Callable[[], Callable[[Any], None]]) -> Callable[[], Callable[[Any], None]]:
    """Celery's ``create_task_handler`` with handlers that delete a message they cannot cope with."""

    def create_task_handler() -> Callable[[Any], None]:
        handle = make_handler()

        def on_task_received(message: Any) -> None:
            try:
                handle(message)
            except WRONG_SHAPE as exc:  # KeyError included, which kombu counts as a lost Redis connection
                log.error("Received and deleted a message of no known shape: %s", type(exc).__name__)
                if not message.acknowledged:
                    message.reject_log_error(log, c.connection_errors)

        return on_task_received

    return create_task_handler


def spare_gossip() -> None:
    """Let an event that makes no sense end no worker: every worker takes what comes to the exchange of events."""
    handle = Gossip.on_message

    @wraps(handle)
    def on_message(gossip: Any, prepare: Any, message: Any) -> None:
        try:
            handle(gossip, prepare, message)
        except (*WRONG_SHAPE, DecodeError, ContentDisallowed) as exc:
            log.warning("Ignored an event of no known shape: %s", type(exc).__name__)

    Gossip.on_message = on_message
