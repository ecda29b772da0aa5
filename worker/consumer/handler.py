"""The first step for a message of either lane: straight to the Strategy if it is ours, else as Celery does it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from celery.exceptions import InvalidTaskError
from kombu.exceptions import ContentDisallowed, DecodeError

from sluice.tasks.envelope import TASK_NAME

MakeHandler = Callable[[], Callable[[Any], None]]
"""What makes Celery's handler of each message that comes: its consumer's ``create_task_handler``."""


def direct(c: Any, make_handler: MakeHandler) -> MakeHandler:
    """Celery's ``create_task_handler`` with a short way for envelopes.

    Celery makes two promises for every message, to be called when it is acknowledged or rejected singly. Ours are
    acknowledged in bulk, so a plain function will do.
    """

    def create_task_handler() -> Callable[[Any], None]:
        handle_other = make_handler()
        callbacks, call_soon = c.on_task_message, c.call_soon

        def on_task_received(message: Any) -> None:
            headers = message.headers
            strategy = c.strategies.get(TASK_NAME)
            if strategy is None or not isinstance(headers, dict) or headers.get("task") != TASK_NAME:
                handle_other(message)
                return
            try:
                strategy(
                    message,
                    None,
                    partial(call_soon, message.ack_log_error),
                    partial(call_soon, message.reject_log_error),
                    callbacks,
                )
            except (InvalidTaskError, ContentDisallowed) as exc:
                c.on_invalid_task(None, message, exc)
            except DecodeError as exc:
                c.on_decode_error(message, exc)

        return on_task_received

    return create_task_handler
