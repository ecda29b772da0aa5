"""Reads a request's JSON body into a schema."""

from __future__ import annotations

from typing import TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from tasks.errors import UnsupportedMediaType
from web.errors import from_validation

Model = TypeVar("Model", bound=BaseModel)

JSON = "application/json"


def read(model: type[Model]) -> Model:
    """The body of the current request as ``model``.

    Raises:
        UnsupportedMediaType: not declared as JSON.
        RequestEntityTooLarge: before the body is read when its length is declared.
        BadRequest: not JSON.
        InvalidInput: not what the schema says.
    """
    if request.mimetype != JSON and not request.mimetype.endswith("+json"):
        raise UnsupportedMediaType(f"send the body as {JSON}", {"field": "Content-Type", "accepted": [JSON]})
    body = request.get_data(cache=False)
    # Werkzeug cuts a body of unknown length off at its limit, which is one byte more than ours.
    if len(body) >= (request.max_content_length or len(body) + 1):
        raise RequestEntityTooLarge
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        raise from_validation(exc, body) from None
