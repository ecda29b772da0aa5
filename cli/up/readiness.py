"""Asks the web part whether the service is ready, without holding up the supervisor."""

from __future__ import annotations

import json
import threading
from http.client import HTTPConnection, HTTPException

ASK_EVERY_S = 0.2
TIMEOUT_S = 5.0


class Readiness:
    """One thread that polls ``path`` until it answers 200.

    Args:
        host: address to ask.
        port: port to ask.
        path: ``/readyz`` for the whole service, ``/healthz`` for the web part alone.
    """

    def __init__(self, host: str, port: int, path: str) -> None:
        self._host, self._port, self._path = host, port, path
        self._ready = threading.Event()
        self.missing = "the web part does not answer yet"
        self._thread = threading.Thread(target=self._run, name="sluice-readiness", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    def _run(self) -> None:
        while not self._ask():
            self._ready.wait(ASK_EVERY_S)
        self._ready.set()

    def _ask(self) -> bool:
        connection = HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("GET", self._path)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
        self.missing = _missing(body)
        return answer.status == 200


def _missing(body: bytes) -> str:
    """The parts that /readyz finds wanting, in one line."""
    try:
        checks = json.loads(body)["checks"]
        reasons = [f"{part}: {check['reason']}" for part, check in checks.items() if not check["ok"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return "the web part answers with an error"
    return "; ".join(reasons) or "nothing"
