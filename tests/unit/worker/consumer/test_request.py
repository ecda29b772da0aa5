"""The short way to a request leaves what Celery's own constructor leaves, whichever Celery is installed."""

from __future__ import annotations

from typing import Any, cast

import pytest
from celery.worker.request import Request
from kombu.message import Message

from sluice.config import settings as config
from sluice.tasks.app import make_celery
from sluice.tasks.envelope import TASK_NAME
from sluice.worker.consumer.request import UNUSUAL, EnvelopeRequest
from sluice.worker.consumer.transport import kombu_types

#: Ours says them when someone looks.
OURS = {"_argsrepr", "_kwargsrepr"}
HEADERS: list[dict[str, Any]] = [
    {},
    {"root_id": "r", "parent_id": "p", "group": "g", "ignore_result": True},
    {"shadow": "another name", "ignore_result": None, "retries": 2},
]


def fields_of(request: Request) -> dict[str, Any]:
    slots = [name.replace("__payload", "_Request__payload") for name in Request.__slots__ if name[:2] != "__"]
    names = {*slots, "_Request__payload", *vars(request)} - OURS
    return {name: getattr(request, name, "nothing") for name in names}


@pytest.mark.parametrize("more", HEADERS)
def test_it_leaves_what_celery_leaves(more: dict[str, Any]) -> None:
    app = make_celery(config.read(broker_url="redis://", result_backend="redis://"))
    headers = {"id": "one", "task": TASK_NAME, **more}
    message = Message(
        body=b'[["a text"], {}, {}]',
        channel=None,
        content_type="application/json",
        content_encoding="utf-8",
        delivery_info={"exchange": "sluice", "routing_key": "sluice.bulk"},
        properties={"reply_to": "somebody", "correlation_id": "one", "priority": 3},
        headers=headers,
        accept={"application/json"},
    )
    options = {
        "headers": headers,
        "body": message.body,
        "app": app,
        "hostname": "w@test",
        "eventer": object(),
        "task": app.tasks[TASK_NAME],
        "connection_errors": (OSError,),
        "on_ack": print,
        "on_reject": print,
        "decoded": False,
        "utc": True,
    }
    assert not set(UNUSUAL) & set(headers)
    assert fields_of(EnvelopeRequest(cast(kombu_types.Message, message), **options)) == fields_of(
        Request(message, **options)
    )
