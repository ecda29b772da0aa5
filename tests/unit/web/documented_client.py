"""Flask's test client, which holds every response of the web app against its OpenAPI document."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.contract import contract


class DocumentedClient(FlaskClient):
    def open(self, *args: Any, **options: Any) -> TestResponse:
        response = super().open(*args, **options)
        asked, headers = response.request, response.headers.items()
        contract().check(asked.method, asked.path, response.status_code, headers, response.get_data)
        return response
