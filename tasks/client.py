"""One process's own line to the workers: publish envelopes, receive what comes back."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import redis
from celery import Celery

from sluice.config.settings import Settings
from sluice.tasks.app import make_celery
from sluice.tasks.envelope import QUEUES
from sluice.tasks.errors import BackendUnavailable
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.publisher import Publisher
from sluice.tasks.queues import QueueCounter
from sluice.tasks.redis_client import connect
from sluice.tasks.replies import ReplyListener
from sluice.tasks.results import ResultReader, StoredResult
from sluice.tasks.revocation import revoke
from sluice.tasks.server import Availability, Server, connection_errors
from sluice.tasks.wire.reply import IndexedEntries
from sluice.tasks.wire.status import WorkerStatus

log = logging.getLogger(__name__)

#: Seconds that a command waits for one answer of Redis.
REDIS_TIMEOUT_S = 5.0
#: Seconds that a command waits for a connection to the broker.
BROKER_TIMEOUT_S = 5.0

Reply = tuple[str, IndexedEntries]
"""An envelope id, and entries of that envelope."""


class Client:
    """Publisher, reply listener and result reader, opened together. Not for several threads.

    Args:
        settings: which broker and backend.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app: Celery = make_celery(settings)
        # No SimpleQueue: Python 3.11's, waiting with a timeout in the main thread, never returns after a signal.
        self._replies: queue.Queue[Reply] = queue.Queue()
        self._publisher = Publisher(self._app)
        availability = Availability(Server.backend(settings), log, level=logging.INFO)
        self._listener = ReplyListener(settings.backend, lambda *reply: self._replies.put(reply), availability)
        self._redis = connect(settings.backend, socket_timeout=REDIS_TIMEOUT_S)
        self._reader = ResultReader(self._app, self._redis)

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        # Its thread may sit in a pop for another second; the command need not wait for that.
        threading.Thread(target=self._listener.stop, name="sluice-replies-stop", daemon=True).start()
        self._publisher.close()
        self._redis.close()

    def publish(
        self, texts: Sequence[str], *, lane: str, envelope_id: str, options: PredictionOptions = LABEL_ONLY
    ) -> None:
        """Send one envelope; its answers, which hold what ``options`` says, come from ``replies``.

        Raises:
            BrokerUnavailable: the broker did not take it.
        """
        self._publisher.publish(
            list(texts), lane=lane, envelope_id=envelope_id, reply_to=self._listener.address, options=options
        )

    def replies(self, timeout_s: float) -> list[Reply]:
        """What has come back; waits up to ``timeout_s`` for the first reply, not at all for 0."""
        found: list[Reply] = []
        if timeout_s > 0:
            try:
                found.append(self._replies.get(timeout=timeout_s))
            except queue.Empty:
                return found
        while True:
            try:
                found.append(self._replies.get_nowait())
            except queue.Empty:
                return found

    def fetch(self, envelope_ids: Sequence[str]) -> list[StoredResult]:
        """What the backend holds, for answers whose reply was lost.

        Raises:
            BackendUnavailable: it does not answer.
        """
        return self._reader.fetch(envelope_ids)

    def forget(self, envelope_ids: Sequence[str]) -> None:
        """Delete stored results that nobody else will ask for; best effort, they expire anyway."""
        names = [self._app.backend.get_key_for_task(one) for one in envelope_ids]
        try:
            self._redis.unlink(*names)
        except redis.RedisError:
            return

    def workers(self) -> list[WorkerStatus]:
        """Statuses of the workers that have a model loaded.

        Raises:
            BackendUnavailable: the backend does not answer.
        """
        return self._reader.workers()

    def waiting(self, lane: str) -> int:
        """Envelopes in a lane's queue that no worker has taken yet.

        Raises:
            BrokerUnavailable: the broker does not answer.
        """
        with self._app.connection_for_read() as connection:
            try:
                connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
                return QueueCounter(connection).waiting(QUEUES[lane])
            except connection_errors(self._app) as exc:
                raise Server.broker(self._settings).unavailable(exc) from exc

    def revoke(self, envelope_ids: Sequence[str]) -> None:
        """Let the workers, those that start later too, drop what has not run; best effort, and never an error."""
        with contextlib.suppress(BackendUnavailable):
            revoke(self._app, self._redis, envelope_ids, self._settings.result_ttl_s)
