"""The OpenAPI 3.1 document, made from the schemas that validate."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema

from sluice.config.settings import Settings
from sluice.web.openapi import archives, health, jobs, predict
from sluice.web.openapi.headers import HEADERS
from sluice.web.openapi.parts import REF, Json, error, redirect
from sluice.web.schemas.archives import ArchiveRequest, ArchiveState
from sluice.web.schemas.error import ErrorResponse
from sluice.web.schemas.health import HealthResponse, ReadyResponse, StatsResponse
from sluice.web.schemas.jobs import JobList, JobResults, JobState
from sluice.web.schemas.limits import Requests
from sluice.web.schemas.predict import DegradedResponse, PredictResponse


class _InOrder(GenerateJsonSchema):
    """Leaves fields as they are written; pydantic would sort the examples."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value


def document(settings: Settings, requests: Requests, release: str) -> Json:
    """The whole document, as JSON-ready data."""
    paths = {**predict.paths(requests), **jobs.paths(requests), **archives.paths(settings), **health.paths()}
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
        "components": {
            "schemas": _schemas(requests),
            "headers": HEADERS,
            # To what fits no operation, such as an address or a method that is none.
            "responses": {"308": redirect(), "404": error(404), "405": error(405)},
            "securitySchemes": _security(),
        },
        **({"security": [{"apiKey": []}, {"bearer": []}]} if settings.api_keys else {}),
    }


@lru_cache(maxsize=16)
def _schemas(requests: Requests) -> Json:
    incoming: list[type[BaseModel]] = [requests.predict, requests.job, ArchiveRequest]
    outgoing: list[type[BaseModel]] = [
        PredictResponse,
        DegradedResponse,
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
    found["ArchiveRequest"] = archives.with_files(found["ArchiveRequest"])
    return found


def _security() -> Json:
    return {
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
