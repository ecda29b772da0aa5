"""A worker without a model, for the web tests: consumes envelopes, answers, stores results, in one thread."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import orjson
from celery import Celery
from kombu import Connection

from sluice.config.settings import Settings
from sluice.harness.process import wait_for
from sluice.tasks import keys
from sluice.tasks.envelope import QUEUES
from sluice.tasks.redis_client import connect
from sluice.tasks.wire.entry import Entry, failure, prediction
from sluice.tasks.wire.headers import EnvelopeHeaders
from sluice.tasks.wire.reply import pack_reply

MODEL = {"name": "fake", "version": "7", "architecture": "none", "author": "tests", "last_training": "2026-01-01"}


def label_of(text: str) -> str:
    return "spam" if "win" in text else "ham"


class FakeWorker:
    """Answers every message at once, unless told otherwise.

    Attributes:
        replying: send replies to waiting processes.
        storing: store results.
        paused: leave envelopes in the broker.
        envelopes: message counts of the envelopes taken, in order.
    """

    def __init__(self, app: Celery, settings: Settings) -> None:
        self._app = app
        self._backend = app.backend
        self._client = connect(settings.backend)
        self._ttl_s = settings.result_ttl_s
        self.replying = self.storing = True
        self.paused = threading.Event()
        self.resting = threading.Event()
        self.envelopes: list[int] = []
        self.headers: list[dict[str, Any]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-worker", daemon=True)

    def start(self) -> None:
        self.report("ready")
        self._thread.start()

    def reset(self) -> None:
        """Answer everything that is queued, and go on answering."""
        self.replying = self.storing = True
        self.paused.clear()
        queues = [self._client.llen(queue) for queue in QUEUES.values()]
        wait_for(lambda: not any(self._client.llen(queue) for queue in QUEUES.values()), f"empty queues {queues}", 10)
        self.envelopes.clear()
        self.headers.clear()

    def pause(self) -> None:
        """Take nothing more; returns when the last envelope is done."""
        self.paused.set()
        wait_for(self.resting.is_set, "the worker to pause", 5)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(5)

    def report(self, state: str) -> None:
        status = {
            "hostname": "fake@host",
            "state": state,
            "model": MODEL,
            "rate": 100.0,
            "counters": {"messages": 10, "batches": 4},
            "queue": {"buffered": 3},
        }
        self._client.set(keys.worker("fake@host"), orjson.dumps(status))
        self._client.zadd(keys.WORKERS, {"fake@host": time.time() + 3600})

    def store(self, envelope_id: str, entries: list[Entry], job_id: str | None = None) -> None:
        """Store the results of an envelope, and of a job how far it is."""
        self._store_meta(envelope_id, entries, "SUCCESS")
        if job_id:
            bad = sum("error" in entry for entry in entries)
            self._client.hset(keys.progress(job_id), envelope_id, f"{len(entries) - bad} {bad} {time.time()}")

    def store_started(self, envelope_id: str) -> None:
        """Store that an envelope has begun."""
        self._store_meta(envelope_id, None, "STARTED")

    def store_failure(self, envelope_id: str, error: Exception) -> None:
        """Store an envelope as failed as a whole."""
        self._store_meta(envelope_id, self._backend.prepare_exception(error), "FAILURE")

    def _store_meta(self, envelope_id: str, result: Any, state: str) -> None:
        meta = {**self._backend._get_result_meta(result, state, None, None), "task_id": envelope_id}
        self._client.set(self._backend.get_key_for_task(envelope_id), self._backend.encode(meta), ex=self._ttl_s)

    def _run(self) -> None:
        queues = [queue for queue in self._app.conf.task_queues if queue.name in QUEUES.values()]
        with self._app.connection_for_read() as connection:
            while not self._stopping.is_set():
                if self.paused.is_set():
                    self.resting.set()
                    time.sleep(0.01)
                else:
                    self.resting.clear()
                    self._consume(connection, queues)

    def _consume(self, connection: Connection, queues: list[Any]) -> None:
        with connection.Consumer(queues, callbacks=[self._take], accept=["json"], prefetch_count=1):
            while not self._stopping.is_set() and not self.paused.is_set():
                try:
                    connection.drain_events(timeout=0.05)
                except socket.timeout:  # noqa: UP041 - kombu raises this name
                    continue

    def _take(self, body: Any, message: Any) -> None:
        texts, headers = body[0][0], message.headers
        entries = [self._entry(item) for item in texts]
        self.envelopes.append(len(entries))
        self.headers.append(dict(headers))
        if self.storing:
            self.store(headers["id"], entries, headers.get("group"))
        address = EnvelopeHeaders.from_wire(headers).reply_to
        if self.replying and address:
            self._client.rpush(keys.reply(address), pack_reply({headers["id"]: list(enumerate(entries))}))
        message.ack()

    def _entry(self, item: Any) -> Entry:
        identity, text = (item.get("id"), item["text"]) if isinstance(item, dict) else (None, item)
        if not text.strip():
            return failure(identity, "invalid_input", "must not be empty or blank")
        if "boom" in text:
            return failure(identity, "model_failed", "the model failed")
        return prediction(identity, label_of(text), 0.875, MODEL["name"], MODEL["version"])
