"""``/jobs`` in the document."""

from __future__ import annotations

from sluice.web.openapi.headers import OF_FILES, headers
from sluice.web.openapi.parts import (
    BINARY,
    IDEMPOTENCY_KEY,
    JOB_ID,
    READ_ERRORS,
    WRITE_ERRORS,
    Json,
    answer,
    body,
    content,
    download,
    either,
    errors,
    prefer,
    ref,
)
from sluice.web.routes import job_list
from sluice.web.schemas.limits import Requests

#: What the results of an archive come as.
ARCHIVE_TYPES = ("text/csv", "application/vnd.apache.parquet", "application/vnd.sqlite3")
ARCHIVE_ROW = {"type": "object", "description": "of an archive: a row of its files, and the columns of the results"}


def paths(requests: Requests) -> Json:
    return {
        "/jobs": {"post": _submit(requests), "get": _list()},
        "/jobs/{id}": {
            "parameters": [JOB_ID],
            "get": {
                "tags": ["jobs"],
                "operationId": "getJob",
                "summary": "How far a job is",
                "responses": {"200": answer("The job", either("JobState", "ArchiveState")), **errors(*READ_ERRORS)},
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
                    "200": answer("The job afterwards", either("JobState", "ArchiveState")),
                    **errors(*READ_ERRORS),
                },
            },
        },
        "/jobs/{id}/results": {"parameters": [JOB_ID], "get": _results()},
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
        "parameters": [prefer("0: answers 202 at once"), IDEMPOTENCY_KEY],
        "requestBody": body(requests.job),
        "responses": {
            "200": content(
                "All results, ready in time (`Prefer: wait`)", "JobResults", "Location", "Preference-Applied"
            ),
            "202": content("Accepted", "JobState", "Location", "Retry-After", "Preference-Applied"),
            **errors(*WRITE_ERRORS, 409),
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
        "responses": {"200": content("A page", "JobList"), **errors(401, 405, 422, 500, 503)},
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
                "headers": headers(*OF_FILES),
                "content": {
                    "application/json": {"schema": ref("JobResults")},
                    "application/x-ndjson": {"schema": {"anyOf": [ref("ResultEntry"), ARCHIVE_ROW]}},
                    **{mimetype: {"schema": BINARY} for mimetype in ARCHIVE_TYPES},
                },
            },
            **download([*ARCHIVE_TYPES, "application/x-ndjson"]),
            **errors(*READ_ERRORS, 409, 416, 422),
        },
    }
