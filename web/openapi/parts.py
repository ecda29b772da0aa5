"""The parts that several operations are described with."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from sluice.web.openapi.headers import OF_ERRORS, OF_FILES, Json, headers

REF = "#/components/schemas/{model}"
BINARY: Json = {"type": "string", "format": "binary"}

ERRORS: dict[int, str] = {
    400: "The body is not JSON (or no form, for an archive), or a header cannot be read",
    401: "No API key, or one that is not known (only where keys are set)",
    404: "No such job, or it has expired; or nothing is at this address",
    405: "This address does not take that method",
    409: "The request contradicts an earlier one, or the job is not finished",
    410: "Cancelled before the model saw it",
    413: "The body is larger than the limit",
    415: "The type of the body is not taken, nor its compression, or the format of an archive is not known",
    416: "The file of an archive has no such range",
    422: "A field is missing, of a wrong type or outside its limit; `details` names fields and limits",
    429: "Too many messages wait, or too many archives are kept",
    500: "The model failed on this message, or the server made an error",
    503: "Broker or result backend cannot be reached",
    507: "The server has too little free disk space",
}
READ_ERRORS = (401, 404, 405, 500, 503)
WRITE_ERRORS = (400, 401, 405, 413, 415, 422, 429, 500, 503)

IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same body gives the same job; with another body, 409",
    "schema": {"type": "string", "maxLength": 255},
}
JOB_ID: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


def prefer(default: str) -> Json:
    return {
        "name": "Prefer",
        "in": "header",
        "description": f"`wait=SECONDS` (0 to 600) or `respond-async`; without it: {default}",
        "schema": {"type": "string"},
        "example": "wait=5",
    }


def body(model: type[BaseModel]) -> Json:
    return {"required": True, "content": {"application/json": {"schema": ref(model.__name__)}}}


def answer(description: str, schema: Json, *names: str) -> Json:
    """An answer in JSON, with headers of these names."""
    return {"description": description, "headers": headers(*names), "content": {"application/json": {"schema": schema}}}


def content(description: str, name: str, *names: str) -> Json:
    """An answer of the schema ``name``, with headers of these names."""
    return answer(description, ref(name), *names)


def either(*names: str) -> Json:
    """One of several schemas."""
    return {"anyOf": [ref(name) for name in names]}


def errors(*statuses: int) -> Json:
    return {str(status): error(status) for status in sorted(statuses)}


def error(status: int) -> Json:
    return content(ERRORS[status], "ErrorResponse", *OF_ERRORS.get(status, ()))


def redirect() -> Json:
    """To a path with a slash too many."""
    page = {"text/html": {"schema": {"type": "string"}}}
    return {"description": "The path with single slashes", "headers": headers("Location"), "content": page}


def download(mimetypes: Iterable[str]) -> Json:
    """What the file of an archive may be answered with beside the whole of it."""
    return {
        "206": {
            "description": "The range",
            "headers": headers("Content-Range", *OF_FILES),
            "content": {mimetype: {"schema": BINARY} for mimetype in mimetypes},
        },
        "304": {"description": "It is what `If-None-Match` names", "headers": headers(*OF_FILES)},
    }


def ref(name: str) -> Json:
    return {"$ref": REF.format(model=name)}
