"""The OpenAPI 3.1 document, made from the schemas that validate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from sluice.config.settings import Settings
from sluice.web.routes import degraded, job_list
from sluice.web.schemas import (
    ArchiveRequest,
    ArchiveState,
    ErrorResponse,
    HealthResponse,
    JobList,
    JobResults,
    JobState,
    PredictResponse,
    ReadyResponse,
    Requests,
    StatsResponse,
)

Json = dict[str, Any]

REF = "#/components/schemas/{model}"
RETRY_AFTER = {
    "Retry-After": {"description": "seconds after which trying again makes sense", "schema": {"type": "integer"}}
}
LOCATION = {"Location": {"description": "where the job is", "schema": {"type": "string"}}}
APPLIED = {"Preference-Applied": {"description": "what of Prefer was heeded", "schema": {"type": "string"}}}
DEGRADED = {
    degraded.HEADER: {"description": "why the answer is a degraded one; absent else", "schema": {"type": "string"}}
}

#: What the results of an archive come as.
ARCHIVE_TYPES = ("text/csv", "application/vnd.apache.parquet", "application/vnd.sqlite3")
BINARY: Json = {"type": "string", "format": "binary"}

ERRORS: dict[int, str] = {
    400: "The body is not JSON (or no form, for an archive), or a header cannot be read",
    401: "No API key, or one that is not known (only where keys are set)",
    404: "No such job, or it has expired",
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
RETRYABLE = (409, 429, 503)
READ_ERRORS = (401, 404, 405, 500, 503)
WRITE_ERRORS = (400, 401, 405, 413, 415, 422, 429, 500, 503)


class _InOrder(GenerateJsonSchema):
    """Leaves fields as they are written; pydantic would sort the examples."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value


def document(settings: Settings, requests: Requests, release: str) -> Json:
    """The whole document, as JSON-ready data."""
    paths: Json = {}
    paths.update(_predict(requests))
    paths.update(_jobs(requests))
    paths.update(_archives(settings))
    paths.update(_health())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice",
            "version": release,
            "summary": "Classifies SMS as ham, spam or phishing, in batches",
            "description": (
                "`POST /predict/` answers one message; `POST /jobs` takes many and is polled, `POST /archives` takes"
                " files. Every error has the form of `ErrorResponse`. Every answer has `X-Request-ID`: the caller's, or"
                " one made here. JSON may come with `Content-Encoding: gzip`."
            ),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "predict", "description": "one message, one answer"},
            {"name": "jobs", "description": "many messages, polled"},
            {"name": "archives", "description": "files of messages, polled as jobs"},
            {"name": "health", "description": "for operators and orchestrators"},
        ],
        "paths": paths,
        "components": {"schemas": _schemas(requests), "securitySchemes": _security()},
        **({"security": [{"apiKey": []}, {"bearer": []}]} if settings.api_keys else {}),
    }


def _schemas(requests: Requests) -> Json:
    incoming: list[type[BaseModel]] = [requests.predict, requests.job, ArchiveRequest]
    outgoing: list[type[BaseModel]] = [
        PredictResponse,
        degraded.DegradedResponse,
        JobState,
        JobResults,
        JobList,
        ArchiveState,
        ErrorResponse,
        HealthResponse,
        ReadyResponse,
        StatsResponse,
    ]
    wanted: Any = [(model, "validation") for model in incoming] + [(model, "serialization") for model in outgoing]
    _, definitions = models_json_schema(wanted, ref_template=REF, schema_generator=_InOrder)
    found = dict(definitions["$defs"])
    found["ArchiveRequest"] = _with_files(found["ArchiveRequest"])
    return found


def _with_files(fields: Json) -> Json:
    """The form of ``POST /archives``: its fields, and the files that no schema validates."""
    file = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    files = {"type": "array", "items": file, "minItems": 1, "description": "one or more files, packed or not"}
    plain = {name: _without_null(one) for name, one in fields["properties"].items()}
    return {**fields, "properties": {"file": files, **plain}, "required": ["file"]}


def _without_null(field: Json) -> Json:
    """A field that may be absent as one that may be empty, which is the same in a form."""
    if "anyOf" not in field:
        return field
    (kind,) = (one for one in field["anyOf"] if one != {"type": "null"})
    choices = {"enum": ["", *kind["enum"]]} if "enum" in kind else {}
    return {**kind, **choices, **{name: value for name, value in field.items() if name != "anyOf"}, "default": ""}


def _security() -> Json:
    return {
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }


def _predict(requests: Requests) -> Json:
    return {
        "/predict/": {
            "post": {
                "tags": ["predict"],
                "operationId": "predict",
                "summary": "Classify one message",
                "description": (
                    "Waits for the answer. When the wait runs out the message stays queued, and its result is found"
                    " at `Location` later. Who wants a verdict is answered `DegradedResponse` then, and while a part is"
                    " away or full, if the server is set so."
                ),
                "parameters": [_prefer("the server's `SYNC_WAIT_S`")],
                "requestBody": _body(requests.predict),
                "responses": {
                    "200": _either(
                        "The answer", "PredictResponse", "DegradedResponse", headers={**APPLIED, **DEGRADED}
                    ),
                    "202": _content("Queued; no answer in time", "JobState", {**LOCATION, **RETRY_AFTER, **APPLIED}),
                    **_errors(*WRITE_ERRORS, 410),
                },
            }
        }
    }


def _jobs(requests: Requests) -> Json:
    return {
        "/jobs": {"post": _submit(requests), "get": _list()},
        "/jobs/{id}": {
            "parameters": [_ID],
            "get": {
                "tags": ["jobs"],
                "operationId": "getJob",
                "summary": "How far a job is",
                "responses": {"200": _either("The job", "JobState", "ArchiveState"), **_errors(*READ_ERRORS)},
            },
            "delete": {
                "tags": ["jobs"],
                "operationId": "cancelJob",
                "summary": "Cancel what has not run",
                "description": (
                    "Doing it twice is doing it once; a finished job stays as it is. Of an archive the files are"
                    " deleted too; a finished one is deleted as a whole."
                ),
                "responses": {
                    "200": _either("The job afterwards", "JobState", "ArchiveState"),
                    **_errors(*READ_ERRORS),
                },
            },
        },
        "/jobs/{id}/results": {"parameters": [_ID], "get": _results()},
    }


def _submit(requests: Requests) -> Json:
    return {
        "tags": ["jobs"],
        "operationId": "submitJob",
        "summary": "Submit messages as a job",
        "description": (
            "One bad message among good ones becomes one error entry in the results. A job of nothing but bad messages"
            " is refused."
        ),
        "parameters": [_prefer("0: answers 202 at once"), _KEY],
        "requestBody": _body(requests.job),
        "responses": {
            "200": _content("All results, ready in time (`Prefer: wait`)", "JobResults", {**LOCATION, **APPLIED}),
            "202": _content("Accepted", "JobState", {**LOCATION, **RETRY_AFTER, **APPLIED}),
            **_errors(*WRITE_ERRORS, 409),
        },
    }


def _list() -> Json:
    limit = {"type": "integer", "minimum": 1, "maximum": job_list.MAX_LIMIT, "default": job_list.DEFAULT_LIMIT}
    return {
        "tags": ["jobs"],
        "operationId": "listJobs",
        "summary": "The caller's jobs, newest first",
        "description": (
            "Jobs and archives that were submitted with the same API key (all of them where no keys are set), for as"
            " long as their results are kept. Follow `next` until it is null; with `state` a page may be short or"
            " empty before that. Single messages of `/predict/` are not listed."
        ),
        "parameters": [
            {"name": "limit", "in": "query", "schema": limit},
            {
                "name": "state",
                "in": "query",
                "description": "only jobs in this state, or in one of several with commas between",
                "schema": {"type": "string"},
                "example": "queued,running",
            },
            {
                "name": "cursor",
                "in": "query",
                "description": "where a page begins, as `next` has it",
                "schema": {"type": "string"},
            },
        ],
        "responses": {"200": _content("A page", "JobList"), **_errors(401, 405, 422, 500, 503)},
    }


def _results() -> Json:
    number = {"type": "integer", "minimum": 0}
    return {
        "tags": ["jobs"],
        "operationId": "getResults",
        "summary": "Results in input order",
        "description": (
            "JSON: pages of the finished beginning of the job; follow `next` until it is null. While the job runs, a"
            " page may be short or empty. NDJSON (`Accept: application/x-ndjson`): everything in one stream; 409"
            " while the job runs, unless `partial` is given. An archive: the whole file in the format that was asked"
            " for, or a range of it; 409 while it runs."
        ),
        "parameters": [
            {"name": "offset", "in": "query", "schema": {**number, "default": 0}},
            {"name": "limit", "in": "query", "schema": {**number, "minimum": 1, "default": 1000, "maximum": 10000}},
            {
                "name": "partial",
                "in": "query",
                "description": "NDJSON of an unfinished job: what is there",
                "schema": {"type": "boolean"},
                "allowEmptyValue": True,
            },
        ],
        "responses": {
            "200": {
                "description": "Results",
                "content": {
                    "application/json": {"schema": _ref("JobResults")},
                    "application/x-ndjson": {"schema": _ref("ResultEntry")},
                    **{mimetype: {"schema": BINARY} for mimetype in ARCHIVE_TYPES},
                },
            },
            **_download(ARCHIVE_TYPES),
            **_errors(*READ_ERRORS, 409, 416, 422),
        },
    }


def _health() -> Json:
    def get(name: str, summary: str, responses: Json, *, keyed: bool = False) -> Json:
        operation: Json = {"tags": ["health"], "operationId": name, "summary": summary, "responses": responses}
        return {"get": operation if keyed else {**operation, "security": []}}

    alive = {"type": "object", "properties": {"status": {"const": "alive"}}}
    return {
        "/health": get("health", "Health in OpenTextShield's shape", {"200": _content("Health", "HealthResponse")}),
        "/healthz": get(
            "alive",
            "Liveness: this process answers",
            {"200": {"description": "Alive", "content": {"application/json": {"schema": alive}}}},
        ),
        "/readyz": get(
            "ready",
            "Readiness: broker, backend and a worker with its model",
            {"200": _content("Ready", "ReadyResponse"), "503": _content("Not ready", "ReadyResponse")},
        ),
        "/stats": get(
            "stats",
            "Batching statistics of the live workers",
            {"200": _content("Statistics", "StatsResponse"), **_errors(401)},
            keyed=True,
        ),
    }


def _archives(settings: Settings) -> Json:
    page = {"description": "The page", "content": {"text/html": {"schema": {"type": "string"}}}}
    return {
        "/archives": {"post": _upload(settings)},
        "/jobs/{id}/report": {
            "parameters": [_ID],
            "get": {
                "tags": ["archives"],
                "operationId": "getReport",
                "summary": "The report of an archive",
                "description": "One self-contained page, without the text of any message; only if it was asked for.",
                "responses": {"200": page, **_download(["text/html"]), **_errors(401, 404, 405, 409, 416, 500)},
            },
        },
    }


def _download(mimetypes: Iterable[str]) -> Json:
    """What the file of an archive may be answered with beside the whole of it."""
    return {
        "206": {"description": "The range", "content": {mimetype: {"schema": BINARY} for mimetype in mimetypes}},
        "304": {"description": "It is what `If-None-Match` names"},
    }


def _upload(settings: Settings) -> Json:
    form = {"schema": _ref("ArchiveRequest"), "encoding": {"file": {"contentType": "application/octet-stream"}}}
    return {
        "tags": ["archives"],
        "operationId": "submitArchive",
        "summary": "Submit files of messages as a job",
        "description": (
            "CSV, TSV, JSON lines, Parquet, Arrow, SMS Backup & Restore XML, SMS Import/Export ZIP, Fossify JSON,"
            " iMessage `chat.db`, WhatsApp `_chat.txt`, plain text; also packed as .gz, .bz2, .zst or .zip. The results"
            " have every column of the files and the labels."
            f" At most {settings.max_archive_bytes} bytes. Files and results are deleted"
            f" {settings.archive_ttl_s} s after the end."
        ),
        "parameters": [_KEY],
        "requestBody": {"required": True, "content": {"multipart/form-data": form}},
        "responses": {
            "202": _content("Accepted", "ArchiveState", {**LOCATION, **RETRY_AFTER}),
            **_errors(*WRITE_ERRORS, 409, 507),
        },
    }


_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key with the same body gives the same job; with another body, 409",
    "schema": {"type": "string", "maxLength": 255},
}
_ID: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


def _prefer(default: str) -> Json:
    return {
        "name": "Prefer",
        "in": "header",
        "description": f"`wait=SECONDS` (0 to 600) or `respond-async`; without it: {default}",
        "schema": {"type": "string"},
        "example": "wait=5",
    }


def _body(model: type[BaseModel]) -> Json:
    return {"required": True, "content": {"application/json": {"schema": _ref(model.__name__)}}}


def _content(description: str, name: str, headers: Json | None = None) -> Json:
    content = {"description": description, "content": {"application/json": {"schema": _ref(name)}}}
    return {**content, "headers": headers} if headers else content


def _either(description: str, *names: str, headers: Json | None = None) -> Json:
    schema = {"anyOf": [_ref(name) for name in names]}
    content = {"description": description, "content": {"application/json": {"schema": schema}}}
    return {**content, "headers": headers} if headers else content


def _errors(*statuses: int) -> Json:
    return {
        str(status): _content(ERRORS[status], "ErrorResponse", RETRY_AFTER if status in RETRYABLE else None)
        for status in sorted(statuses)
    }


def _ref(name: str) -> Json:
    return {"$ref": REF.format(model=name)}
