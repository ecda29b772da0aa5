"""Reads a request's JSON body into a schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from flask import Request, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from sluice.tasks.errors import UnsupportedMediaType
from sluice.web.errors import from_validation

Model = TypeVar("Model", bound=BaseModel)

JSON = "application/json"
#: A refused body up to this size is read and thrown away first: a client that is still sending when the connection
#: closes sees a broken pipe in place of the 413.
DISCARD_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 256 * 1024


class Readable(Protocol):
    """A body as it arrives; shorter answers than asked for mean its end."""

    def read(self, size: int, /) -> bytes: ...


def read(model: type[Model]) -> Model:
    """The body of the current request as ``model``.

    Raises:
        UnsupportedMediaType: not declared as JSON.
        RequestEntityTooLarge: without holding the body in memory.
        BadRequest: not JSON.
        InvalidInput: not what the schema says.
    """
    body = _bytes(request)
    if request.mimetype != JSON and not request.mimetype.endswith("+json"):
        raise UnsupportedMediaType(f"send the body as {JSON}", {"field": "Content-Type", "accepted": [JSON]})
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        raise from_validation(exc, body) from None


def as_schema(model: type[Model], fields: Mapping[str, str]) -> Model:
    """The fields of a form as ``model``; raises InvalidInput."""
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        raise from_validation(exc, b"") from None


def _bytes(asked: Request) -> bytes:
    limit = asked.max_content_length
    try:
        body = asked.get_data(cache=False)
        # Werkzeug cuts a body of unknown length off at its limit, which is one byte more than ours.
        if limit is not None and len(body) >= limit:
            raise RequestEntityTooLarge
    except RequestEntityTooLarge:
        discard(asked, asked.environ["wsgi.input"])
        raise
    return body


def discard(asked: Request, stream: Readable) -> None:
    """Read the rest of a refused body, unless it is huge or the client asked before sending it."""
    length = asked.content_length
    if length is None:
        length = DISCARD_BYTES if asked.environ.get("wsgi.input_terminated") else 0
    if length > DISCARD_BYTES or asked.headers.get("Expect"):
        return
    while length > 0:
        chunk = stream.read(min(length, CHUNK_BYTES))
        if not chunk:
            return
        length -= len(chunk)
