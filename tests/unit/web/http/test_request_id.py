"""The name of a request, in its answer and in the log."""

from __future__ import annotations

import logging
import re

import pytest
from flask.testing import FlaskClient

from sluice.tasks.errors import QueueFull
from sluice.web.http.request_id import LogFilter
from tests.unit.web.fake_gateway import FakeGateway

NAME = "X-Request-ID"
CALLS = [("POST", "/predict/"), ("POST", "/jobs"), ("GET", "/healthz"), ("GET", "/nowhere"), ("PUT", "/jobs")]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_name_that_came_goes_back(client: FlaskClient, method: str, path: str) -> None:
    body = {"text": "hi"} if method == "POST" else None  # which /jobs refuses
    for given in ("abc", "5e0ce7a1-0c56-4e55-8f2c-2f0d3f9f8f11", "Root=1-67891233-abcdef", "x" * 128):
        assert client.open(path, method=method, json=body, headers={NAME: given}).headers.getlist(NAME) == [given]


@pytest.mark.parametrize("given", [None, "", "x" * 129, "two words", "<b>", "é", 'a"b', "a,b"])
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_another_gets_one_of_ours(client: FlaskClient, method: str, path: str, given: str | None) -> None:
    headers = {} if given is None else {NAME: given}
    names = [client.open(path, method=method, json={"text": "hi"}, headers=headers).headers[NAME] for _ in range(3)]
    assert len(set(names)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)


def test_errors_have_it(client: FlaskClient, fake: FakeGateway) -> None:
    for fake.error in (QueueFull("full", retry_after_s=1), RuntimeError("ours")):
        response = client.post("/predict/", json={"text": "hi"}, headers={NAME: "mine"})
        assert response.status_code in (429, 500)
        assert response.headers[NAME] == "mine"


def test_log_lines_have_it(client: FlaskClient, fake: FakeGateway, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(LogFilter())
    fake.error = RuntimeError("ours")
    client.post("/predict/", json={"text": "hi"}, headers={NAME: "mine"})
    client.get("/jobs/x", headers={NAME: "yours"})
    assert [vars(record)["request"] for record in caplog.records] == [" [mine]", " [yours]"]
    assert logging.Formatter("%(name)s:%(request)s").format(caplog.records[0]) == "sluice.web.http.errors: [mine]"
