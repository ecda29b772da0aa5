"""CORS: lets pages of other origins use the API from a browser. Off unless ``CORS_ORIGINS`` says which.

Never with credentials: there are no cookies, and a key that a page sends in a header is the page's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ANY = "*"
METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
#: What a page may send.
ALLOWED = (
    "Accept, Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-None-Match, Prefer, Range, X-API-Key,"
    " X-Request-ID"
)
#: What a page may read, besides the few headers that browsers always show.
EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Range, ETag, Location, Preference-Applied, Retry-After, X-Degraded,"
    " X-Request-ID"
)
#: Seconds for which a browser need not ask again.
MAX_AGE_S = 600


class Cors:
    """WSGI middleware around every route, so that refusals and errors can be read by the page too.

    Args:
        origins: as browsers send them, or ``*`` alone.
    """

    def __init__(self, app: WSGIApplication, origins: Sequence[str]) -> None:
        self._app = app
        self._any = ANY in origins
        self._origins = frozenset(origins)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        origin = environ.get("HTTP_ORIGIN", "")
        added = self._headers(origin)
        if origin and environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            start_response("204 No Content", added + (_permissions() if self._allows(origin) else []))
            return []

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            return start_response(status, headers + added, *exc_info)

        return self._app(environ, start)

    def _allows(self, origin: str) -> bool:
        return self._any or origin.lower() in self._origins

    def _headers(self, origin: str) -> list[tuple[str, str]]:
        """What every answer has; a cache must not give one origin what another was answered."""
        headers = [] if self._any else [("Vary", "Origin")]
        if origin and self._allows(origin):
            headers.append(("Access-Control-Allow-Origin", ANY if self._any else origin))
            headers.append(("Access-Control-Expose-Headers", EXPOSED))
        return headers


def _permissions() -> list[tuple[str, str]]:
    return [
        ("Access-Control-Allow-Methods", METHODS),
        ("Access-Control-Allow-Headers", ALLOWED),
        ("Access-Control-Max-Age", str(MAX_AGE_S)),
    ]
