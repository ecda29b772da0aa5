"""Callers that send messages all the time, and what becomes of every one that was accepted."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, Self

from sluice.harness.process import wait_for
from sluice.harness.web import Reply, Web

CALLERS = 4
JOB_MESSAGES = 300
PATIENCE_S = 90.0


@dataclass
class Counts:
    """Messages: answered at once, accepted for later, refused in words, and without any answer in the end."""

    at_once: int = 0
    later: int = 0
    refused: int = 0
    odd: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class Load:
    """``CALLERS`` threads that post one message after the other, and one that posts jobs, until the block ends."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._predict, args=(number,)) for number in range(CALLERS)]
        self._threads.append(threading.Thread(target=self._jobs))
        self._lock = threading.Lock()
        self._places: list[tuple[str, int]] = []  # path of a job, messages in it
        self.counts = Counts()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def settle(self) -> Counts:
        """Wait for what was accepted for later; what has no answer then is lost."""
        for path, messages in self._places:
            self.counts.later += messages
            try:
                wait_for(partial(self._done, path), path, PATIENCE_S, 0.1)
            except TimeoutError:
                self.counts.lost.append(path)
        return self.counts

    def _done(self, path: str) -> bool:
        reply = self._web.ask("GET", path)
        return reply.status == 200 and reply.json["state"] == "done" and reply.json["failed"] == 0

    def _predict(self, number: int) -> None:
        for turn in count():
            if self._stopping.is_set():
                return
            self._post("/predict/", {"text": f"see you at {number} {turn}"}, 1, Prefer="wait=2")

    def _jobs(self) -> None:
        for turn in count():
            if self._stopping.wait(0.3):
                return
            texts = [f"job {turn} text {number}" for number in range(JOB_MESSAGES)]
            self._post("/jobs", {"texts": texts}, JOB_MESSAGES)

    def _post(self, path: str, body: Any, messages: int, **headers: str) -> None:
        try:
            reply = self._web.ask("POST", path, body, **headers)
        except OSError as exc:
            with self._lock:
                self.counts.odd.append(f"{path}: {type(exc).__name__}")
            return
        with self._lock:
            self._note(path, reply, messages)
        if reply.status >= 400:
            time.sleep(0.1)

    def _note(self, path: str, reply: Reply, messages: int) -> None:
        if reply.status == 200:
            self.counts.at_once += messages
        elif reply.status == 202:
            self._places.append((reply.headers["location"], messages))
        elif reply.status in (429, 503):
            self.counts.refused += messages
        else:
            self.counts.odd.append(f"{path}: {reply.status} {reply.body[:200]!r}")
