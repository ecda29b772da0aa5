"""A real ``sluice web`` process and a small keep-alive client."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sluice.harness.process import Child, free_port, wait_for


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


#: Takes method, path and reply of every exchange with a ``Web``.
Inspection = Callable[[str, str, Reply], None]


class Web(Child):
    """``sluice web``, or what ``command`` starts in its place, on a port of its own."""

    #: Set by the tests, which hold every reply against the OpenAPI document; raises to fail.
    inspect: ClassVar[Inspection | None] = None

    def __init__(self, folder: Path, env: dict[str, str], command: Sequence[str] = ("-m", "sluice.cli", "web")) -> None:
        self.port = free_port()
        super().__init__(
            [sys.executable, *command], folder / f"web-{self.port}.log", {**env, "SLUICE_PORT": str(self.port)}
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> Web:
        """Wait until the service as a whole can classify."""

        def is_ready() -> bool:
            if self.returncode is not None:
                raise RuntimeError(f"web ended with {self.returncode}:\n{self.output()[-3000:]}")
            try:
                return self.ask("GET", "/readyz").status == 200
            except OSError:
                return False

        wait_for(is_ready, "readiness", 40, 0.1)
        return self

    def alive(self) -> bool:
        """Whether the process answers, whatever it can do."""
        try:
            return self.ask("GET", "/healthz").status == 200
        except OSError:
            return False

    def connect(self, timeout_s: float = 30) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request on a connection of its own; a ``body`` that is not bytes goes as JSON."""
        connection = self.connect()
        try:
            return self._exchange(connection, method, path, body, **headers)
        finally:
            connection.close()

    def predict_all(self, texts: Sequence[str], connections: int) -> list[Reply]:
        """Every text once over that many keep-alive connections at a time; replies in order of ``texts``."""

        def client(first: int) -> list[tuple[int, Reply]]:
            connection = self.connect()
            try:
                return [
                    (i, self._exchange(connection, "POST", "/predict/", {"text": texts[i]}))
                    for i in range(first, len(texts), connections)
                ]
            finally:
                connection.close()

        with ThreadPoolExecutor(connections) as pool:
            parts = list(pool.map(client, range(connections)))
        return [reply for _, reply in sorted((pair for part in parts for pair in part), key=lambda pair: pair[0])]

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str
    ) -> Reply:
        reply = exchange(connection, method, path, body, **headers)
        if (inspect := Web.inspect) is not None:
            inspect(method, path, reply)
        return reply


def exchange(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        names.setdefault("Content-Type", "application/json")
    connection.request(method, path, body, names)
    response = connection.getresponse()
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
