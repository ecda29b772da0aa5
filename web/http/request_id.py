"""``X-Request-ID``: the caller's, or one made here, in every answer and every log line of the request.

A caller, or a proxy, that names its requests finds them again in our log; who does not gets a name to ask about.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable
from random import getrandbits
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADER = "X-Request-ID"
#: What is taken over from a caller; anything else could forge log lines or flood them.
SANE = re.compile(r"[A-Za-z0-9._:/+=@~-]{1,128}").fullmatch


class _Current(threading.local):
    """The request that this thread answers."""

    id = ""


_current = _Current()


class RequestIds:
    """WSGI middleware: names each request before anything else sees it, and puts the name into its answer."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID")
        # Random, not secret: the generator is seeded anew in each process, and costs a tenth of the secure one.
        request_id = given if given and SANE(given) else f"{getrandbits(128):032x}"
        _current.id = request_id

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            headers.append((HEADER, request_id))
            return start_response(status, headers, *exc_info)

        return self._app(environ, start)


class LogFilter(logging.Filter):
    """Gives a handler's records ``request``: `` [ID]`` in a thread that answers a request, else nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = f" [{_current.id}]" if _current.id else ""
        return True
