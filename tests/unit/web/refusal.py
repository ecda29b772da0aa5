"""The one form of every error."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse


def refusal(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The ``detail`` of an error, checked for its form."""
    assert response.status_code == status, response.get_data(as_text=True)
    detail: dict[str, Any] = response.get_json()["detail"]
    assert list(detail) == ["error", "message", "details", "timestamp"]
    assert detail["error"] == code
    assert detail["message"]
    return detail
