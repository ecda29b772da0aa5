"""The headers of answers, each described once."""

from __future__ import annotations

from typing import Any

from sluice.web.routes import degraded

Json = dict[str, Any]


def _header(description: str, kind: str = "string", *, required: bool = False) -> Json:
    return {"description": description, **({"required": True} if required else {}), "schema": {"type": kind}}


REQUEST_ID = "X-Request-ID"
HEADERS: dict[str, Json] = {
    REQUEST_ID: _header("the name of the request: the caller's, or one made here", required=True),
    "Accept-Encoding": _header("the compressions that are taken"),
    "Accept-Ranges": _header("`bytes`: parts can be asked for with `Range`"),
    "Allow": _header("the methods that this address takes", required=True),
    "Cache-Control": _header("whether it may be kept"),
    "Content-Disposition": _header("the name under which to save the file"),
    "Content-Range": _header("which bytes of how many these are", required=True),
    "Content-Security-Policy": _header("what the page may load"),
    "ETag": _header("names this file, for `If-None-Match` and `If-Range`"),
    "Last-Modified": _header("when the file was written"),
    "Location": _header("where the job is; of a redirect, where to ask", required=True),
    "Preference-Applied": _header("what of `Prefer` was heeded; absent if nothing was"),
    "Referrer-Policy": _header("what the page tells of where a link was followed"),
    "Retry-After": _header("seconds after which trying again makes sense", "integer"),
    "WWW-Authenticate": _header("how to send a key", required=True),
    "X-Content-Type-Options": _header("`nosniff`: the type is what it says"),
    degraded.HEADER: _header("why the answer is a degraded one; absent else"),
}
#: Of a file, or of a part of it.
OF_FILES = (
    *("Accept-Ranges", "Cache-Control", "Content-Disposition", "ETag", "Last-Modified", "X-Content-Type-Options"),
    *("Content-Security-Policy", "Referrer-Policy"),
)
#: Of errors, by status.
OF_ERRORS = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    409: ("Retry-After",),
    415: ("Accept-Encoding",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def headers(*names: str) -> Json:
    """What an answer has of headers: these, and the request's name, which each has."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (REQUEST_ID, *names)}
