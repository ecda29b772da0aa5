"""Classifies messages over HTTP: one and wait, or many as a job that is polled. `pip install requests` is enough.

    python examples/requests_client.py "see you at 8"
    python examples/requests_client.py "see you at 8" "WIN a prize now, call 0900 123"

What a client should do besides asking is in ``Sluice.ask``: to wait as long as the service says when it is full (429)
or not ready (503), and to send a job with a key, so that sending it again makes no second job.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from typing import Any

import requests

#: Answers after which the same request may be sent again.
BUSY = frozenset({429, 503})
#: Seconds between two tries where the service does not say how many, and at most, whatever it says.
RETRY_S, MAX_RETRY_S = 1.0, 30.0


class GaveUp(Exception):
    """The service was full, not ready or not there for too long."""


class Sluice:
    """A client of one service.

    Args:
        url: without a slash at the end.
        key: one of SLUICE_API_KEYS, if there are any.
        patience_s: how long to try, and to wait for a result.
    """

    def __init__(self, url: str, key: str | None = None, patience_s: float = 60.0) -> None:
        self._url = url
        self._patience_s = patience_s
        self._session = requests.Session()
        if key:
            self._session.headers["X-API-Key"] = key

    def predict(self, text: str, wait_s: int = 5) -> dict[str, Any]:
        """The label of one message. An answer that takes longer than ``wait_s`` is polled for.

        Raises:
            requests.HTTPError: the message cannot be classified (422), or the key is wrong (401).
            GaveUp: nothing came in time.
        """
        reply = self.ask("POST", "/predict/", {"text": text}, {"Prefer": f"wait={wait_s}"})
        if reply.status_code != 202:
            return dict(reply.json())
        return self._results(reply.headers["Location"])[0]

    def classify(self, texts: list[str]) -> list[dict[str, Any]]:
        """A job of all ``texts``: an entry each, in their order.

        Raises:
            requests.HTTPError, GaveUp: as for ``predict``.
        """
        # The key lets the service know the request again when the answer to its first try was lost.
        reply = self.ask("POST", "/jobs", {"texts": texts}, {"Idempotency-Key": str(uuid.uuid4())})
        return self._results(reply.headers["Location"])

    def _results(self, job: str) -> list[dict[str, Any]]:
        """The results of a job, once it has come to its end; 256 messages at a time move its state."""
        ends = time.monotonic() + self._patience_s
        while self.ask("GET", job).json()["state"] in ("queued", "running"):
            if time.monotonic() > ends:
                raise GaveUp(f"{job} has not come to its end within {self._patience_s:g} s")
            time.sleep(0.5)
        results: list[dict[str, Any]] = []
        page: str | None = f"{job}/results"
        while page:
            body = self.ask("GET", page).json()
            results += body["results"]
            page = body["next"]
        return results

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        """One request, again while the service is busy or away.

        Raises:
            requests.HTTPError: it was refused for another reason.
            GaveUp: the service was busy or away for too long.
        """
        ends = time.monotonic() + self._patience_s
        while True:
            try:
                reply = self._session.request(
                    method, self._url + path, json=body, headers=headers, timeout=self._patience_s
                )
                reason, wait_s = f"status {reply.status_code}", _retry_after_s(reply)
                if reply.status_code not in BUSY:
                    reply.raise_for_status()
                    return reply
            except requests.ConnectionError:
                reason, wait_s = "no connection", RETRY_S
            if time.monotonic() + wait_s > ends:
                raise GaveUp(f"{method} {path}: {reason} for {self._patience_s:g} s")
            time.sleep(wait_s)


def _retry_after_s(reply: requests.Response) -> float:
    given = reply.headers.get("Retry-After", "")
    return min(float(given), MAX_RETRY_S) if given.isdigit() else RETRY_S


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--key", help="an API key, if the service wants one")
    parser.add_argument("--patience", type=float, default=60.0, metavar="S")
    given = parser.parse_args()
    sluice = Sluice(given.url, given.key, given.patience)
    try:
        entries = [sluice.predict(given.texts[0])] if len(given.texts) == 1 else sluice.classify(given.texts)
    except GaveUp as exc:
        print(exc, file=sys.stderr)
        return 1
    except requests.HTTPError as exc:
        print(exc.response.json()["detail"]["message"], file=sys.stderr)
        return 1
    for entry in entries:
        error = entry.get("error")
        print(f"{error['code']}: {error['message']}" if error else f"{entry['label']} {entry['probability']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
