"""Holds the delivery of an SMS until Sluice has said what to do about it. Python's own library is all it needs.

    python examples/gateway_hook.py --port 8100
    curl http://127.0.0.1:8100/ -d '{"from": "+999388119394", "text": "WIN a prize now, call 0900 123"}'

An SMS gateway posts each message here and does what the answer says: ``deliver``, ``flag`` (deliver, with a warning or
into a folder of its own) or ``reject``. Two rules make it safe to stand in the way of all messages:

- Nobody waits longer than ``--wait`` seconds, and a second for the network.
- **Fail open**: where Sluice is away, full or too slow, the message is delivered, and the answer says that nobody has
  looked at it. What the sender could bring about is no such reason: a message that Sluice refuses to read is flagged.

``Hook.app`` is WSGI, so that any server can run it; no text is ever written to a log.
"""

from __future__ import annotations

import argparse
import json
import logging
import socketserver
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

log = logging.getLogger("gateway_hook")

#: What the gateway does for each verdict.
ACTIONS = {"allow": "deliver", "flag": "flag", "block": "reject"}
#: Statuses that say something of the service, not of the message: full, broken, not ready, or a wrong API key.
OUTAGE = frozenset({401, 429, 500, 502, 503, 504})
#: Most bytes of a request: a message of the greatest length that Sluice reads, and its sender.
MAX_BYTES = 64 * 1024
#: Seconds beside the wait for the way there and back.
NETWORK_S = 1.0


class Hook:
    """Asks a service about each message.

    Args:
        url: of Sluice, without a slash at the end.
        key: one of SLUICE_API_KEYS, if there are any.
        wait_s: how long a delivery may be held.
    """

    def __init__(self, url: str, key: str | None = None, wait_s: float = 2.0) -> None:
        self._url = url
        self._wait_s = wait_s
        self._headers = {"Content-Type": "application/json", "Prefer": f"wait={wait_s:g}"}
        if key:
            self._headers["X-API-Key"] = key

    def decide(self, text: str) -> dict[str, Any]:
        """``action``, the ``rule`` behind it, and whether somebody has looked at the text: ``checked``."""
        if not text.strip():
            return {"action": "deliver", "rule": "nothing to read", "checked": False}
        try:
            status, body = self._ask(text)
        except (OSError, ValueError) as exc:  # no connection, no answer in time, or one that is no JSON
            return self._open(type(exc).__name__)
        if status == 200 and body.get("verdict") in ACTIONS:
            checked = not body.get("degraded", False)  # with SLUICE_ON_OUTAGE=allow Sluice fails open by itself
            return {"action": ACTIONS[body["verdict"]], "rule": body["rule"], "checked": checked}
        if status == 202 or status in OUTAGE:
            return self._open("no verdict in time" if status == 202 else f"status {status}")
        return {"action": "flag", "rule": f"not readable: status {status}", "checked": False}

    def _ask(self, text: str) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer.

        Raises:
            OSError: there is none.
            ValueError: it is no JSON.
        """
        body = json.dumps({"text": text, "verdict": True}).encode()
        request = urllib.request.Request(f"{self._url}/predict/", body, self._headers)  # noqa: S310  an operator's URL
        try:
            with urllib.request.urlopen(request, timeout=self._wait_s + NETWORK_S) as reply:  # noqa: S310
                return reply.status, dict(json.load(reply))
        except urllib.error.HTTPError as exc:
            exc.close()
            return exc.code, {}

    def _open(self, reason: str) -> dict[str, Any]:
        log.warning("delivered without a verdict: %s", reason)
        return {"action": "deliver", "rule": f"fail open: {reason}", "checked": False}

    def app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI: ``POST`` of ``{"from", "text"}``; 200 with the decision, or 400."""
        try:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            if environ["REQUEST_METHOD"] != "POST" or not 0 < length <= MAX_BYTES:
                raise ValueError("not a message")
            text = json.loads(environ["wsgi.input"].read(length))["text"]
            if not isinstance(text, str):
                raise ValueError("text is no string")
        except (ValueError, KeyError, TypeError):
            return _answer(start_response, "400 Bad Request", {"error": 'POST {"from": "…", "text": "…"} as JSON'})
        return _answer(start_response, "200 OK", self.decide(text))


def _answer(start_response: StartResponse, status: str, body: dict[str, Any]) -> list[bytes]:
    payload = json.dumps(body).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(payload)))])
    return [payload]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread for each message that is held."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """No line for each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        log.debug(format, *args)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of Sluice")
    parser.add_argument("--key", help="an API key, if the service wants one")
    parser.add_argument("--wait", type=float, default=2.0, metavar="S", help="longest time that a delivery is held")
    parser.add_argument("--port", type=int, default=8100)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    hook = Hook(given.url, given.key, given.wait)
    with make_server("127.0.0.1", given.port, hook.app, server_class=Server, handler_class=Handler) as server:
        log.info("holding deliveries on http://127.0.0.1:%d/", given.port)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            log.info("stopped")


if __name__ == "__main__":
    main()
