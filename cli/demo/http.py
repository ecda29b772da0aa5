"""A plain HTTP client, as any caller's would be."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException, HTTPMessage
from typing import Any

from sluice.cli.demo.service import DemoFailed

TIMEOUT_S = 30.0


class Http:
    """JSON requests to the demo's web part over one connection.

    Args:
        port: where it listens on this machine.
    """

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any, HTTPMessage]:
        """Status, decoded body, and headers whose names have no case.

        Raises:
            DemoFailed: no answer, or one that is not JSON.
        """
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, data, headers)
            answer = self._connection.getresponse()
            found = json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as exc:
            raise DemoFailed(f"{method} {path} got no answer ({type(exc).__name__})") from exc
        return answer.status, found, answer.headers
