"""What the OpenAPI document does not describe fails: the check of the other tests, held to its own word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from tests.contract import Undocumented, contract

ID = ("X-Request-ID", "mine")
AS_JSON = ("Content-Type", "application/json")
STATE = {"id": "j", "state": "done", "total": 1, "done": 1, "failed": 0, "created_at": "", "finished_at": None}
ERROR = {"detail": {"error": "not_found", "message": "no such job", "details": {"field": "id"}, "timestamp": ""}}
JOB = "/jobs/j"


def answered(
    status: int, body: Any, *headers: tuple[str, str], method: str = "GET", path: str = JOB
) -> Callable[[], None]:
    packed = body if isinstance(body, bytes) else orjson.dumps(body)
    return lambda: contract().check(method, path, status, headers, lambda: packed)


@pytest.mark.parametrize(
    "response",
    [
        answered(200, STATE, ID, AS_JSON),
        answered(200, STATE, ID, ("Content-Type", "application/json; charset=utf-8"), ("Date", "now")),
        answered(404, ERROR, ID, AS_JSON),
        answered(404, ERROR, ID, AS_JSON, path="/nowhere"),
        answered(405, ERROR, ID, AS_JSON, ("Allow", "GET"), method="PUT"),
        answered(202, STATE, ID, AS_JSON, ("Location", JOB), ("Retry-After", "1"), method="POST", path="/predict"),
        answered(200, b"a,b\n", ID, ("Content-Type", "text/csv"), ("ETag", "x"), path=f"{JOB}/results?offset=0"),
        answered(200, b'{"id":"0"}\n{"id":"1"}\n', ID, ("Content-Type", "application/x-ndjson"), path=f"{JOB}/results"),
        answered(200, b'{"a":"b"}\n', ID, ("Content-Type", "application/x-ndjson"), path="/jobs/archive-0/results"),
        answered(308, b"", ID, ("Content-Type", "text/html"), ("Location", JOB), path="/jobs//j"),
        answered(304, b"", ID, path=f"{JOB}/results"),
        answered(200, b"", ID, AS_JSON, method="HEAD"),
        answered(200, b"<html>", ID, ("Content-Type", "text/html; charset=utf-8"), path="/docs"),
    ],
)
def test_what_the_document_describes_passes(response: Callable[[], None]) -> None:
    response()


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (answered(200, {**STATE, "extra": 1}, ID, AS_JSON), "not valid under any"),
        (answered(200, {**STATE, "total": "1"}, ID, AS_JSON), "not valid under any"),
        (answered(404, {"detail": {**ERROR["detail"], "hint": ""}}, ID, AS_JSON), "detail: .*'hint' was unexpected"),
        (answered(404, {"error": "no"}, ID, AS_JSON, path="/nowhere"), '"detail" is a required property'),
        (answered(418, ERROR, ID, AS_JSON), "418: the document has only 200, 401, 404"),
        (answered(200, STATE, ID, AS_JSON, path="/nowhere"), "no such path"),
        (answered(200, STATE, ID, AS_JSON, method="PUT"), "no such operation"),
        (answered(200, b"a,b", ID, ("Content-Type", "text/csv")), "a body of text/csv"),
        (answered(200, STATE, ID), "a body of no type"),
        (answered(304, b"x", ID, path=f"{JOB}/results"), "a body where none is described"),
        (answered(200, STATE, ID, AS_JSON, ("X-Odd", "1")), "undocumented headers: x-odd"),
        (answered(200, STATE, AS_JSON), "missing headers: x-request-id"),
        (answered(202, STATE, ID, AS_JSON, method="POST", path="/predict/"), "missing headers: location"),
        (answered(503, ERROR, ID, AS_JSON, ("Retry-After", "soon")), "no whole number"),
        (
            answered(200, b'{"id":"0"}\n{"id":1}', ID, ("Content-Type", "application/x-ndjson"), path=f"{JOB}/results"),
            "id",
        ),
        (answered(200, b"{}", ID, AS_JSON, path="/docs"), "a page that is application/json"),
    ],
)
def test_what_it_does_not_describe_fails(response: Callable[[], None], said: str) -> None:
    with pytest.raises(Undocumented, match=said):
        response()
