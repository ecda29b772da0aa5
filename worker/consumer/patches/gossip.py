"""Celery's gossip, made to survive events that make no sense: every worker takes what comes to their exchange."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from celery.utils.log import get_logger
from celery.worker.consumer.gossip import Gossip
from kombu.exceptions import ContentDisallowed, DecodeError

from sluice.worker.consumer.transport.kombu_types import Message

log = get_logger(__name__)

#: What a message of the wrong shape raises. Anything else is no fault of the message.
WRONG_SHAPE = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError)


def install() -> None:
    """Put the handling that survives in place of Celery's, in this process."""
    handle = Gossip.on_message

    @wraps(handle)
    def on_message(gossip: Gossip, prepare: Callable[..., object], message: Message) -> None:
        try:
            handle(gossip, prepare, message)
        except (*WRONG_SHAPE, DecodeError, ContentDisallowed) as exc:
            log.warning("Ignored an event of no known shape: %s", type(exc).__name__)

    Gossip.on_message = on_message
