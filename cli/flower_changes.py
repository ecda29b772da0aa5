"""What Sluice changes in Flower: its answer to buttons while there is no login, and queue lengths on RabbitMQ.

All of it is here; ``tests/integration/test_flower.py`` holds it in a browser.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

import amqp
from celery import Celery
from flower import events
from flower.api import BaseApiHandler
from flower.api.control import TaskTimout
from flower.views import BaseHandler
from tornado.escape import xhtml_escape
from tornado.web import HTTPError

from sluice.tasks.server import Server

NO_LOGIN = (
    "Without a login Flower only shows. To use its buttons and its API, set FLOWER_BASIC_AUTH=user:password"
    " and start Flower again."
)
#: Seconds without a failed try after which the next one belongs to another outage; Flower's tries grow apart.
SAME_OUTAGE_S = 600.0
#: Seconds that the broker may take to answer; the page then comes without lengths.
BROKER_TIMEOUT_S = 5.0


class OutageFilter(logging.Filter):
    """Lets Flower say once that the broker is away, and why, in place of at every try."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._said = ""
        self._tried = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.args[0] if isinstance(record.args, tuple) and record.args else None
        if not isinstance(error, Exception):
            return True
        since, self._tried = time.monotonic() - self._tried, time.monotonic()
        sentence = self._server.unavailable(error).operator_message
        if sentence == self._said and since < SAME_OUTAGE_S:
            return False
        self._said = sentence
        record.msg, record.args = "no events are captured, for %s", (sentence,)
        return True


def apply(server: Server) -> None:
    """Change Flower in this process, before it starts; ``server`` is its broker."""
    events.logger.addFilter(OutageFilter(server))
    BaseApiHandler.prepare = _require_login
    BaseApiHandler.write_error = _write_error
    BaseHandler.get_broker = _get_broker


def _require_login(handler: BaseApiHandler) -> None:
    """Flower's own names a variable that would open the API to every page in the operator's browser."""
    options = handler.application.options
    if not (options.basic_auth or options.auth):
        raise HTTPError(401, NO_LOGIN)


def _write_error(handler: BaseApiHandler, status_code: int, **info: Any) -> None:
    """The error's sentence, or at least its name: Flower's own shows an empty red box for most."""
    error = (info.get("exc_info") or (None, None))[1]
    message = (error.get_message() if isinstance(error, HTTPError) else "") or f"{status_code} {handler._reason}"
    if status_code == 401 and handler.application.options.basic_auth:
        # Without it a browser that knows the login, from a page in another folder, does not offer it here.
        handler.set_header("WWW-Authenticate", 'Basic realm="flower"')
    if isinstance(handler, TaskTimout):  # the page reads the answer to this one button as HTML
        handler.set_header("Content-Type", "text/html; charset=UTF-8")
        message = f"<p>{xhtml_escape(message)}</p>"
    else:
        handler.set_header("Content-Type", "text/plain; charset=UTF-8")
    handler.finish(message)


_flowers_own = BaseHandler.get_broker


def _get_broker(handler: BaseHandler) -> Any:
    application = handler.application
    if application.transport != "amqp":
        return _flowers_own(handler)
    return RabbitQueues(application.capp, _flowers_own(handler) if application.options.broker_api else None)


class RabbitQueues:
    """Queue lengths as RabbitMQ tells every client; the rest of the page's columns needs its management API.

    Args:
        app: whose broker is asked.
        management: Flower's own client of that API, which is asked first; None where no address is set.
    """

    def __init__(self, app: Celery, management: Any = None) -> None:
        self._app = app
        self._management = management

    async def queues(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Messages that wait in each queue, and its consumers; queues that are not there are left out."""
        names = list(names)
        found = await self._management.queues(names) if self._management else []
        return found or await asyncio.get_running_loop().run_in_executor(None, self._ask, names)

    def _ask(self, names: list[str]) -> list[dict[str, Any]]:
        options = {
            **self._app.conf.broker_transport_options,
            "read_timeout": BROKER_TIMEOUT_S,
            "write_timeout": BROKER_TIMEOUT_S,
        }
        found = []
        with self._app.connection_for_read(
            transport_options=options, connect_timeout=BROKER_TIMEOUT_S, heartbeat=0
        ) as connection:
            for name in names:
                try:
                    declared = connection.default_channel.queue_declare(name, passive=True)
                except amqp.NotFound:  # RabbitMQ closes the channel; the connection opens another
                    continue
                found.append(
                    {
                        "name": name,
                        "messages": declared.message_count,
                        "messages_ready": declared.message_count,
                        "consumers": declared.consumer_count,
                    }
                )
        return found
