"""The OpenAPI document and the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.contract import answers, default_document


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").get_json()
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) >= {"/predict/", "/jobs", "/jobs/{id}", "/jobs/{id}/results", "/health", "/stats"}


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    for reference in found:
        kind, name = reference.removeprefix("#/components/").split("/")
        assert name in document["components"][kind]


def test_every_documented_operation_exists(document: dict[str, Any], flask_app: Flask) -> None:
    adapter = flask_app.url_map.bind("localhost")
    for path, operations in document["paths"].items():
        for method in set(operations) - {"parameters"}:
            adapter.match(path.replace("{id}", f"archive-{'0' * 32}"), method.upper())
            if not path.endswith("/report"):
                adapter.match(path.replace("{id}", "x"), method.upper())


def test_every_operation_is_documented(document: dict[str, Any], flask_app: Flask) -> None:
    pages = {"/", "/docs", "/openapi.json", "/static/<path:name>"}
    for rule in flask_app.url_map.iter_rules():
        path = re.sub(r"<(\w+:)?\w+>", "{id}", rule.rule)
        if rule.rule not in pages:
            for method in set(rule.methods or ()) - {"HEAD", "OPTIONS"}:
                assert method.lower() in document["paths"][path], rule


def test_the_limits_are_those_of_the_settings(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["PredictRequest"]["properties"]["text"]["maxLength"] == 100
    assert schemas["JobRequest"]["properties"]["texts"]["anyOf"][0]["maxItems"] == 50


def test_what_it_says_of_answers_does_not_depend_on_the_settings(document: dict[str, Any]) -> None:
    assert answers(document) == answers(default_document())


def test_every_error_has_the_one_form(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method in set(operations) - {"parameters"}:
            for status, response in operations[method]["responses"].items():
                if int(status) >= 400 and path != "/readyz":
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorResponse"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_nothing_from_elsewhere(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.mimetype == "text/html"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    html = response.get_data(as_text=True)
    for link in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert link.startswith(("/", "#"))
    for link in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
        assert client.get(link).status_code == 200


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "nope.js", "/etc/passwd"])
def test_only_the_static_folder_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code in (404, 308)
