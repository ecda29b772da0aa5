"""The one place where an error becomes an answer: ``{"detail": {"error", "message", "details", "timestamp"}}``."""

from __future__ import annotations

import logging
import math
import re
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Flask, Response
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

from sluice.tasks.envelope import HALF_PAIR, is_unicode
from sluice.tasks.errors import (
    BadRequest,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    SluiceError,
    TooLarge,
    UnsupportedMediaType,
)

log = logging.getLogger(__name__)

#: Most problems that one answer lists.
MAX_PROBLEMS = 20
#: A field name that a caller made up is shown only when it looks like one: it could be a text.
SHOWN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")

HTTP_ERRORS: dict[int, type[SluiceError]] = {
    **{cls.status: cls for cls in (BadRequest, NotFound, MethodNotAllowed, TooLarge, UnsupportedMediaType)},
    416: BadRequest,  # a range that a download does not have
}

MESSAGES = {
    "missing": "is required",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "string_too_short": "must not be empty or blank",
    "blank": "must not be empty or blank",
    "string_too_long": "is longer than {limit} characters",
    "too_long": "holds more than {limit} items",
    "too_short": "must hold at least {limit} item",
    "literal_error": "must be one of {expected}",
    "extra_forbidden": "is not a known field",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "encoding": "is not the name of a text encoding",
    "delimiter": "must be one character, or tab",
    "one_of": "must hold either texts or messages",
}


def timestamp() -> str:
    """Now, ISO 8601, UTC."""
    return iso(datetime.now(UTC))


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def iso_of(unix_s: float) -> str:
    """Unix seconds as ISO 8601, UTC."""
    return iso(datetime.fromtimestamp(unix_s, UTC))


def install(app: Flask, max_body_bytes: int) -> None:
    """Register the handlers."""

    def http_error(exc: HTTPException) -> Response:
        code = exc.code or 500
        if code < 400:
            return exc.get_response()  # type: ignore[return-value]
        cls = HTTP_ERRORS.get(code)
        details = {"limit": max_body_bytes, "field": "body"} if code == TooLarge.status else {}
        message = _http_message(exc, max_body_bytes)
        response = error_response(cls(message, details) if cls else SluiceError(message), status=code)
        allowed = getattr(exc, "valid_methods", None)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    app.register_error_handler(SluiceError, error_response)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected_response)


def error_response(error: SluiceError, status: int | None = None) -> Response:
    """The response that ``error`` stands for."""
    payload = {
        "detail": {
            "error": error.code,
            "message": error.message,
            "details": error.details,
            "timestamp": timestamp(),
        }
    }
    response = Response(orjson.dumps(payload), status or error.status, mimetype="application/json")
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="sluice"'
    if error.details.get("field") == "Content-Encoding":
        response.headers["Accept-Encoding"] = ", ".join(error.details["accepted"])
    return response


def unexpected_response(exc: Exception) -> Response:
    """An error of ours: its place is logged, its message is not, since it could quote a text."""
    frames = "".join(traceback.format_tb(exc.__traceback__))
    log.error("%s\n%s", type(exc).__name__, frames)
    return error_response(SluiceError("the server made an error; it is in its log"))


def from_validation(exc: ValidationError) -> SluiceError:
    """What is wrong with JSON that pydantic refused."""
    errors = exc.errors(include_url=False, include_input=False)
    problems = [_problem(error) for error in errors[:MAX_PROBLEMS]]
    return invalid(problems, len(errors))


def invalid(problems: list[dict[str, Any]], count: int | None = None) -> InvalidInput:
    """One error for several problems; ``field`` and ``limit`` of the first stand by themselves as well."""
    first = problems[0]
    details: dict[str, Any] = {"field": first["field"]}
    if "limit" in first:
        details["limit"] = first["limit"]
    details["problems"] = problems
    count = count or len(problems)
    if count > len(problems):
        details["problem_count"] = count
    more = f" (and {count - 1} more)" if count > 1 else ""
    return InvalidInput(f"{first['field']} {first['message']}{more}", details)


def problem(field: str, message: str, limit: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"field": field, "message": message}
    if limit is not None:
        found["limit"] = limit
    return found


def _problem(error: ErrorDetails) -> dict[str, Any]:
    context = error.get("ctx", {})
    kind = error["type"]
    limit = context.get("max_length") or context.get("min_length") or (1 if kind == "blank" else None)
    text = MESSAGES.get(kind, "is not valid").format(limit=limit, expected=context.get("expected"))
    return problem(_path(error), text, limit)


def _path(error: ErrorDetails) -> str:
    parts = list(error["loc"])
    if error["type"] == "extra_forbidden" and not SHOWN_NAME.fullmatch(str(parts[-1])):
        parts[-1] = "(a field)"
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "body"


def lone_surrogate(parsed: Any) -> dict[str, Any] | None:
    """The problem of the first lone surrogate in a parsed body; None where there is none."""
    path = _lone_surrogate(parsed, "")
    return None if path is None else problem(path or "body", HALF_PAIR)


def _lone_surrogate(value: Any, path: str) -> str | None:
    """Where in a parsed body the first lone surrogate is."""
    if isinstance(value, str):
        return None if is_unicode(value) else path
    if isinstance(value, list):
        found = (_lone_surrogate(item, f"{path}[{index}]") for index, item in enumerate(value))
    elif isinstance(value, dict):
        shown = ((f"{path}.{_shown(key)}" if path else _shown(key), key, item) for key, item in value.items())
        found = (
            name if _lone_surrogate(key, "") is not None else _lone_surrogate(item, name) for name, key, item in shown
        )
    else:
        return None
    return next((one for one in found if one is not None), None)


def _shown(key: str) -> str:
    return key if SHOWN_NAME.fullmatch(key) else "(a field)"


def _http_message(exc: HTTPException, max_body_bytes: int) -> str:
    if exc.code == NotFound.status:
        return "there is nothing at this address"
    if exc.code == MethodNotAllowed.status:
        return "this address does not take that method"
    if exc.code == TooLarge.status:
        return f"the body is larger than the limit of {max_body_bytes} bytes"
    return str(exc.name).lower()
