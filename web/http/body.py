"""Reads a request's JSON body into a schema."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from flask import Request, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from sluice.tasks.errors import BadRequest, UnsupportedMediaType
from sluice.web.http.compression import GZIP_MAGIC, unpacked
from sluice.web.http.errors import from_validation, invalid, lone_surrogate
from sluice.web.http.lone_surrogates import LoneSurrogates, take_out

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
        UnsupportedMediaType: not declared as JSON, or compressed in another way than gzip's.
        RequestEntityTooLarge, TooLarge: without holding the body in memory.
        BadRequest: not JSON.
        InvalidInput: not what the schema says.
    """
    return _validated(model, _json_bytes(request), with_lone_surrogates=False)[0]


def read_job(model: type[Model]) -> tuple[Model, LoneSurrogates]:
    """The same for a job, and those of its texts that are none (``sluice.web.http.lone_surrogates``)."""
    return _validated(model, _json_bytes(request), with_lone_surrogates=True)


def as_schema(model: type[Model], fields: Mapping[str, str]) -> Model:
    """The fields of a form as ``model``; raises InvalidInput."""
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        raise from_validation(exc) from None


def _validated(model: type[Model], body: bytes, *, with_lone_surrogates: bool) -> tuple[Model, LoneSurrogates]:
    try:
        return model.model_validate_json(body), {}
    except ValidationError as exc:
        if exc.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid":
            raise from_validation(exc) from None
    parsed = _parsed(body)
    lone_surrogates = take_out(parsed) if with_lone_surrogates else {}
    if found := lone_surrogate(parsed):
        raise invalid([found])
    try:
        return model.model_validate_json(json.dumps(parsed)), lone_surrogates
    except ValidationError as exc:
        raise from_validation(exc) from None


def _parsed(body: bytes) -> Any:
    """What is JSON by its grammar, though the quick parser does not take it; BadRequest with the reason."""
    try:
        return json.loads(_decoded(body), parse_constant=_no_constant)
    except json.JSONDecodeError as exc:
        raise _unreadable(
            f"is not valid JSON (line {exc.lineno}, column {exc.colno}): {exc.msg.removesuffix(' at')}"
        ) from None
    except RecursionError:
        raise _unreadable("is not valid JSON: it is nested too deeply") from None
    except ValueError:
        raise _unreadable("is not valid JSON: it holds a number that is none, or has too many digits") from None


def _decoded(body: bytes) -> str:
    """The text of a body that should be UTF-8; a byte order mark in front of it is read over."""
    if body.startswith(GZIP_MAGIC):
        raise _unreadable("is compressed: say so with Content-Encoding: gzip")
    wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:4]
    if wide:
        raise _unreadable("is in UTF-16 or UTF-32: send it in UTF-8")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _unreadable(f"is not in UTF-8: byte {exc.start} is part of no character") from None
    if not text.strip():
        raise _unreadable("is empty")
    return text


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _unreadable(reason: str) -> BadRequest:
    return BadRequest(f"the body {reason}", {"field": "body"})


def _json_bytes(asked: Request) -> bytes:
    """The bytes of a body that is declared as JSON, unpacked."""
    body = _bytes(asked)
    if asked.mimetype != JSON and not asked.mimetype.endswith("+json"):
        raise UnsupportedMediaType(f"send the body as {JSON}", {"field": "Content-Type", "accepted": [JSON]})
    if "Content-Encoding" not in asked.headers:
        return body
    limit = asked.max_content_length
    return unpacked(body, asked.headers["Content-Encoding"], limit - 1 if limit else len(body))


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
