"""Pages of other origins."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from sluice.config.settings import SettingsError, read
from sluice.web.app import create_app
from tests.unit.web.fake_gateway import FakeGateway

PAGE = "https://app.example"
ASK = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
ROUTES = ["/predict/", "/jobs", "/jobs/job-1", "/jobs/job-1/results", "/archives", "/health", "/stats", "/nowhere"]


def client_with(origins: str, **settings: object) -> FlaskClient:
    made = read(_env_file=None, cors_origins=origins, **settings)
    return create_app(made, FakeGateway()).test_client()


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("origins", [PAGE, f"http://other.example, {PAGE.upper()}/", f"{PAGE}:443", "*"])
def test_a_browser_may_ask_every_route(route: str, origins: str) -> None:
    response = client_with(origins, api_keys="key").options(route, headers=ASK)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == ("*" if origins == "*" else PAGE)
    assert {"GET", "POST", "DELETE"} <= set(response.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = set(response.headers["Access-Control-Allow-Headers"].lower().split(", "))
    assert allowed >= {"x-api-key", "authorization", "content-type", "prefer", "idempotency-key", "x-request-id"}
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [("POST", "/predict/", 200), ("GET", "/nowhere", 404), ("PUT", "/jobs", 405), ("GET", "/healthz", 200)],
)
def test_answers_and_errors_can_be_read(method: str, route: str, status: int) -> None:
    body = {"text": "hi"} if method == "POST" else None
    response = client_with(PAGE).open(route, method=method, json=body, headers={"Origin": PAGE})
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert {"Location", "Retry-After", "X-Request-ID"} <= set(
        response.headers["Access-Control-Expose-Headers"].split(", ")
    )
    assert "Origin" in response.headers["Vary"]


def test_a_refused_key_can_be_read_too() -> None:
    response = client_with("*", api_keys="key").post("/predict/", json={"text": "hi"}, headers={"Origin": PAGE})
    assert response.status_code == 401
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.evil", "null", "http://app.example"])
def test_another_origin_is_told_nothing(origin: str) -> None:
    client = client_with(PAGE)
    for response in (
        client.options("/predict/", headers={**ASK, "Origin": origin}),
        client.post("/predict/", json={"text": "hi"}, headers={"Origin": origin}),
    ):
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Vary"] == "Origin"


def test_without_the_setting_there_is_none_of_it(client: FlaskClient) -> None:
    for response in (client.options("/predict/", headers=ASK), client.get("/healthz", headers={"Origin": PAGE})):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
        assert "Vary" not in response.headers


@pytest.mark.parametrize("wrong", ["app.example", "https://app.example/page", "https://", "https://u:p@app.example"])
def test_what_is_no_origin_is_refused_at_start(wrong: str) -> None:
    with pytest.raises(SettingsError, match="SLUICE_CORS_ORIGINS"):
        read(_env_file=None, cors_origins=f"{PAGE},{wrong}")
