"""Events so odd that Celery's own handling of them fails: the worker must survive them."""

from __future__ import annotations

from functools import wraps
from typing import Any

from celery.utils.log import get_logger
from celery.worker.consumer.gossip import Gossip
from kombu.exceptions import ContentDisallowed, DecodeError

log = get_logger(__name__)

#: What a message of the wrong shape raises. Anything else is no fault of the message.
WRONG_SHAPE = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError)


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
