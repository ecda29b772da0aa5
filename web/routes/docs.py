"""``/openapi.json``, its browser at ``/docs``, the start page ``/`` and the files they are made of."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from sluice.web.http.body import JSON

STATIC = Path(__file__).parents[1] / "static"
STATIC_MAX_AGE_S = 3600

#: Nothing is loaded from elsewhere, and no inline script runs.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: Swagger UI writes style attributes.
DOCS_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


def blueprint(document: bytes, flower_port: int) -> Blueprint:
    """The routes; ``document`` is the packed OpenAPI document."""
    routes = Blueprint("docs", __name__)
    docs_page = (STATIC / "docs.html").read_text("utf-8")
    home_page = (STATIC / "home.html").read_text("utf-8").replace("{flower_port}", str(flower_port))

    @routes.get("/openapi.json")
    def openapi() -> Response:
        return Response(document, mimetype=JSON)

    @routes.get("/docs")
    def docs() -> Response:
        return _page(docs_page, DOCS_POLICY)

    @routes.get("/")
    def home() -> Response:
        return _page(home_page, POLICY)

    @routes.get("/static/<path:name>")
    def static(name: str) -> Response:
        response = send_from_directory(STATIC, name, max_age=STATIC_MAX_AGE_S)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return routes


def _page(html: str, policy: str) -> Response:
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
