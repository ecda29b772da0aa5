"""Holds responses against the OpenAPI document: what it does not describe fails a test.

Of a JSON body every field counts, also one that no schema names; of any other body the type. Of headers count all but
those of HTTP itself (``FRAMING``) and of CORS, which the Fetch standard describes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from sluice.config.settings import read
from sluice.web.openapi.document import document
from sluice.web.schemas.limits import requests_for

Json = dict[str, Any]

#: Headers that every answer may have, whatever it says.
FRAMING = frozenset({"connection", "content-length", "content-type", "date", "server", "transfer-encoding", "vary"})
CORS = "access-control-"
#: What is there beside the API, for people and for tools: no operations, so the document does not list them.
PAGES = {"/": "text/html", "/docs": "text/html", "/openapi.json": "application/json"}
STATIC = "/static/"
ARCHIVE = re.compile("/jobs/archive-")
JSON, NDJSON = "application/json", "application/x-ndjson"


class Undocumented(AssertionError):
    """A response that the document does not describe."""


class Contract:
    """One OpenAPI document, and what of it was compiled so far."""

    def __init__(self, spec: Json) -> None:
        self._paths = [
            (re.compile(re.sub(r"\{\w+\}", "[^/]+", path.rstrip("/") or "/")), item)
            for path, item in spec["paths"].items()
        ]
        self._components = {**spec["components"], "schemas": _closed(spec["components"]["schemas"])}
        self._validator = cache(self._compiled)

    def check(
        self, method: str, path: str, status: int, headers: Iterable[tuple[str, str]], body: Callable[[], bytes]
    ) -> None:
        """Raise ``Undocumented`` unless the document describes the response to ``method path``.

        Args:
            path: as it was asked for, with or without a query.
            body: gives the body; called only if it can be held against a schema.
        """
        names = {name.lower(): value for name, value in headers}
        try:
            self._check(method, unquote(path.partition("?")[0]), status, names, body)
        except Undocumented as exc:
            raise Undocumented(f"{method} {path} was answered {status}: {exc}") from None

    def _check(self, method: str, path: str, status: int, headers: dict[str, str], body: Callable[[], bytes]) -> None:
        if method == "OPTIONS":
            return
        if path in PAGES or path.startswith(STATIC):
            if status < 300 and path in PAGES:
                self._require(_mimetype(headers) == PAGES[path], f"a page that is {_mimetype(headers)}")
            return
        described = self._described(method, path, status)
        self._check_headers(described.get("headers", {}), headers)
        self._check_body(method, path, described.get("content", {}), headers, body)

    def _described(self, method: str, path: str, status: int) -> Json:
        """What the document says of the response; of requests that fit no operation, what it says in general."""
        item = next((item for pattern, item in self._paths if pattern.fullmatch(path.rstrip("/") or "/")), None)
        if item is None or status == 308:
            self._require(status in (308, 404), "the document has no such path")
            return self._general(status)
        operation = item.get({"HEAD": "get"}.get(method, method.lower()))
        if operation is None:
            self._require(status == 405, "the document has no such operation")
            return self._general(405)
        found: Json | None = operation["responses"].get(str(status))
        self._require(found is not None, f"the document has only {', '.join(sorted(operation['responses']))}")
        assert found is not None
        return self._resolved(found)

    def _general(self, status: int) -> Json:
        """The response that the document has for requests outside its operations."""
        return self._resolved({"$ref": f"#/components/responses/{status}"})

    def _resolved(self, found: Json) -> Json:
        if "$ref" not in found:
            return found
        kind, name = found["$ref"].removeprefix("#/components/").split("/")
        resolved: Json = self._components[kind][name]
        return resolved

    def _check_headers(self, described: Json, headers: dict[str, str]) -> None:
        known = {name.lower(): self._resolved(header) for name, header in described.items()}
        odd = [name for name in headers if name not in known and name not in FRAMING and not name.startswith(CORS)]
        self._require(not odd, f"undocumented headers: {', '.join(odd)}")
        missing = [name for name, header in known.items() if header.get("required") and name not in headers]
        self._require(not missing, f"missing headers: {', '.join(missing)}")
        for name, header in known.items():
            if name in headers and header.get("schema", {}).get("type") == "integer":
                self._require(headers[name].isdecimal(), f"{name} is {headers[name]!r}, no whole number")

    def _check_body(
        self, method: str, path: str, content: Json, headers: dict[str, str], body: Callable[[], bytes]
    ) -> None:
        if not content:
            self._require(not body(), "a body where none is described")
            return
        mimetype = _mimetype(headers)
        self._require(mimetype in content, f"a body of {mimetype or 'no type'}; documented: {', '.join(content)}")
        if method == "HEAD" or mimetype not in (JSON, NDJSON):
            return
        schema = content[mimetype]["schema"]
        if mimetype == NDJSON:
            if ARCHIVE.match(path):
                return  # rows of any columns
            schema = schema["anyOf"][0]
        if schema.get("format") == "binary":
            return
        validator = self._validator(json.dumps(schema))
        for one in _documents(mimetype, body()):
            found = [
                f"{'/'.join(map(str, error.instance_path)) or 'the body'}: {error.message}"
                for error in validator.iter_errors(one)
            ]
            self._require(not found, "; ".join(found))

    def _compiled(self, schema: str) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator({**json.loads(schema), "components": self._components})

    @staticmethod
    def _require(condition: bool, message: str) -> None:
        if not condition:
            raise Undocumented(message)


def _closed(schema: Any) -> Any:
    """A schema whose objects have no fields but those that it names.

    The document leaves objects open, so that a client made from it today takes what a later release adds.
    """
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(one) for name, one in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        closed["additionalProperties"] = False
    return closed


def _documents(mimetype: str, body: bytes) -> Iterator[Any]:
    if mimetype == JSON:
        yield json.loads(body)
    else:
        yield from (json.loads(line) for line in body.splitlines())


def _mimetype(headers: dict[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip()


@cache
def contract() -> Contract:
    """What the service promises."""
    return Contract(default_document())


def default_document() -> Json:
    """The document of a service without settings of its own."""
    settings = read(_env_file=None)
    return document(settings, requests_for(settings), "0")


def answers(spec: Json) -> Json:
    """What a document says of answers; no setting changes it."""
    operations = {
        f"{method} {path}": operation["responses"]
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    }
    requests = ("PredictRequest", "JobRequest", "JobMessage", "ArchiveRequest")
    schemas = {name: one for name, one in spec["components"]["schemas"].items() if name not in requests}
    return {**operations, "schemas": schemas, "headers": spec["components"]["headers"]}
