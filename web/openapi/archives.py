"""``/archives`` in the document; what ``/jobs`` says of an archive stands in ``sluice.web.openapi.jobs``."""

from __future__ import annotations

from sluice.config.settings import Settings
from sluice.web.openapi.headers import OF_FILES, headers
from sluice.web.openapi.parts import (
    IDEMPOTENCY_KEY,
    JOB_ID,
    WRITE_ERRORS,
    Json,
    content,
    download,
    errors,
    ref,
)


def paths(settings: Settings) -> Json:
    page = {
        "description": "The page",
        "headers": headers(*OF_FILES),
        "content": {"text/html": {"schema": {"type": "string"}}},
    }
    return {
        "/archives": {"post": _upload(settings)},
        "/jobs/{id}/report": {
            "parameters": [JOB_ID],
            "get": {
                "tags": ["archives"],
                "operationId": "getReport",
                "summary": "The report of an archive",
                "description": "One self-contained page, without the text of any message; only if it was asked for.",
                "responses": {"200": page, **download(["text/html"]), **errors(401, 404, 405, 409, 416, 500)},
            },
        },
    }


def _upload(settings: Settings) -> Json:
    form = {"schema": ref("ArchiveRequest"), "encoding": {"file": {"contentType": "application/octet-stream"}}}
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
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": {"required": True, "content": {"multipart/form-data": form}},
        "responses": {
            "202": content("Accepted", "ArchiveState", "Location", "Retry-After"),
            **errors(*WRITE_ERRORS, 409, 507),
        },
    }


def with_files(fields: Json) -> Json:
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
