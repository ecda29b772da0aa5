"""The one hot request, ``POST /predict/``, answered before Flask's own machinery runs.

Flask's request context, routing, signals and response objects cost several times what classifying a message costs
this process (``docs/wsgi.md``). So a plain, correct request is answered here, with the same parts that the Flask
route uses; whatever is unusual about it, down to a missing ``Content-Length``, goes to Flask untouched.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from time import perf_counter
from typing import TYPE_CHECKING

from pydantic import ValidationError
from werkzeug.datastructures import EnvironHeaders

from sluice.tasks.errors import SluiceError
from sluice.web.http.body import JSON
from sluice.web.http.errors import error_response, unexpected_response
from sluice.web.routes.predict import Predictor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATHS = frozenset({"/predict/", "/predict"})


class HotRoute:
    """WSGI middleware.

    Args:
        app: everything else.
        max_body_bytes: larger bodies are Flask's to refuse.
    """

    def __init__(self, app: WSGIApplication, predictor: Predictor, max_body_bytes: int) -> None:
        self._app = app
        self._predictor = predictor
        self._max_body_bytes = max_body_bytes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in PATHS or environ["REQUEST_METHOD"] != "POST":
            return self._app(environ, start_response)
        started = perf_counter()
        length = environ.get("CONTENT_LENGTH") or ""
        mimetype = environ.get("CONTENT_TYPE", "").partition(";")[0]
        plain = mimetype == JSON and "HTTP_CONTENT_ENCODING" not in environ
        if not plain or not length.isdecimal() or int(length) > self._max_body_bytes:
            return self._app(environ, start_response)
        body = environ["wsgi.input"].read(int(length))
        try:
            if self._predictor.guard.needed:
                self._predictor.guard.check(EnvironHeaders(environ))
            request = self._predictor.schema.model_validate_json(body)
        except (SluiceError, ValidationError):
            environ["wsgi.input"] = BytesIO(body)
            return self._app(environ, start_response)
        try:
            status, headers, payload = self._predictor.predict(request, environ.get("HTTP_PREFER"), started)
        except SluiceError as exc:
            return error_response(exc)(environ, start_response)
        except Exception as exc:
            return unexpected_response(exc)(environ, start_response)
        start_response(status, headers)
        return [payload]
