"""A client that listens to what workers announce, as Flower does."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from celery import Celery


class Events(threading.Thread):
    """Every event that workers send, in order."""

    def __init__(self, app: Celery) -> None:
        super().__init__(daemon=True)
        self._app = app
        self._ready = threading.Event()
        self._stopping = False
        self.seen: list[dict[str, Any]] = []

    def run(self) -> None:
        receiver = self._app.events.Receiver(self._app.connection_for_read(), handlers={"*": self._take})
        with receiver.consumer_context() as (connection, _, _):
            while not self._stopping:
                with contextlib.suppress(TimeoutError):
                    connection.drain_events(timeout=0.2)
                self._ready.set()  # on Redis the first look subscribes

    def _take(self, event: dict[str, Any]) -> None:
        self.seen.append(event)

    def of(self, task_id: str) -> list[dict[str, Any]]:
        return [event for event in self.seen if event.get("uuid") == task_id]

    def __enter__(self) -> Events:
        self.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: Any) -> None:
        self._stopping = True
        self.join(10)
