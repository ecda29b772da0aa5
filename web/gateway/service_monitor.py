"""What a web process knows of the rest of the service, read off the hot path: broker queues and worker statuses."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from celery import Celery
from kombu import Connection

from sluice.tasks.app import settings_of
from sluice.tasks.envelope import QUEUES
from sluice.tasks.errors import BackendUnavailable
from sluice.tasks.queues import QueueCounter
from sluice.tasks.results import ResultReader
from sluice.tasks.server import Availability, Server
from sluice.tasks.weeks import WeekFigures
from sluice.tasks.wire.status import WorkerStatus
from sluice.web.gateway.backlog import Backlog
from sluice.web.gateway.dispatch_policy import DispatchPolicy, dispatch_policy_for
from sluice.web.gateway.ports import QueueLook

log = logging.getLogger(__name__)

DEPTH_EVERY_S = 0.5
WORKERS_EVERY_S = 2.0
#: The figures of weeks change slowly.
WEEKS_EVERY_S = 30.0
#: Seconds without a completed look after which broker and backend count as not answering.
STALE_S = 6.0
FIRST_LOOK_S = 3.0
#: Seconds after which a RabbitMQ that holds the connection but says nothing counts as gone.
AMQP_TIMEOUT_S = 3
#: Seconds between two looks at what envelopes that nobody counted hold.
SAMPLE_EVERY_S = 2.0
UNKNOWN_RATE_RETRY_S = 5
MAX_RETRY_S = 600


class ServiceMonitor:
    """One thread that looks at the broker twice a second and at the workers every other second.

    Args:
        app: the Celery app; the thread opens a broker connection of its own.
        reader: reads worker statuses.
        backlog: told what the broker holds.
        backend: told whether the result backend answers; one of the monitor's own when absent.
        queues: looks at the queues over a connection.
    """

    def __init__(
        self,
        app: Celery,
        reader: ResultReader,
        backlog: Backlog,
        backend: Availability | None = None,
        queues: Callable[[Connection], QueueLook] = QueueCounter,
    ) -> None:
        self._queues = queues
        self._app = app
        self._reader = reader
        self._backlog = backlog
        settings = settings_of(app)
        self._availability = {
            "broker": Availability(Server.broker(settings), log),
            "backend": backend or Availability(Server.backend(settings), log),
        }
        amqp = settings.uses_amqp  # Redis has such limits for every connection (tasks/app.py)
        self._timeouts = {"read_timeout": AMQP_TIMEOUT_S, "write_timeout": AMQP_TIMEOUT_S} if amqp else {}
        self._connection: Any = None
        self._counter: QueueLook | None = None
        self._means: dict[str, float] = {}
        self._sample_due = 0.0
        self._workers: list[WorkerStatus] = []
        self._weeks: list[WeekFigures] = []
        self._weeks_due = 0.0
        self._dispatch_policy = DispatchPolicy()
        self._reasons: dict[str, str | None] = {"broker": "not looked at yet", "backend": "not looked at yet"}
        self._looked_at = {"broker": monotonic(), "backend": monotonic()}
        self._first_look = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sluice-monitor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=2)

    def workers(self) -> list[WorkerStatus]:
        """Statuses of the live workers, at most about two seconds old."""
        self._first_look.wait(FIRST_LOOK_S)
        return self._workers

    def weeks(self) -> list[WeekFigures]:
        """What versions of the model answered week by week, the latest first; at most half a minute old."""
        self._first_look.wait(FIRST_LOOK_S)
        return self._weeks

    def dispatch_policy(self) -> DispatchPolicy:
        """Envelopes as they suit the workers, by the time and size of a batch that these report."""
        return self._dispatch_policy

    def retry_after_s(self, messages: int) -> int:
        """Seconds in which the workers, at their measured rate, get through ``messages``."""
        rate = sum(worker.rate for worker in self._workers)
        if rate <= 0:
            return UNKNOWN_RATE_RETRY_S
        return max(1, min(MAX_RETRY_S, math.ceil(messages / rate)))

    def reasons(self) -> dict[str, str | None]:
        """Why ``broker`` and ``backend`` cannot be used now; None for each that can."""
        self._first_look.wait(FIRST_LOOK_S)
        reasons = dict(self._reasons)
        for part, at in self._looked_at.items():
            if monotonic() - at > STALE_S:
                reasons[part] = f"no answer for {monotonic() - at:.0f} s"
        return reasons

    def _run(self) -> None:
        workers_due = 0.0
        while not self._stopping.is_set():
            if monotonic() >= workers_due:
                self._look_at_workers()
                workers_due = monotonic() + WORKERS_EVERY_S
            self._look_at_queues()
            self._first_look.set()
            self._stopping.wait(DEPTH_EVERY_S)
        self._disconnect()

    def _look_at_workers(self) -> None:
        try:
            self._workers = self._reader.workers()
            self._dispatch_policy = dispatch_policy_for(self._workers)
            if monotonic() >= self._weeks_due:
                self._weeks = self._reader.weeks()
                self._weeks_due = monotonic() + WEEKS_EVERY_S
            self._reader.require_writes()
            self._note("backend", None)
        except BackendUnavailable as exc:
            self._note("backend", exc)
        except Exception as exc:  # a status that cannot be read must not end the thread
            reason = f"worker statuses cannot be read ({type(exc).__name__})"
            if reason != self._reasons["backend"]:
                log.error("%s", reason)
            self._reasons["backend"], self._looked_at["backend"] = reason, monotonic()

    def _look_at_queues(self) -> None:
        try:
            counter = self._connected()
            waiting = {lane: counter.waiting(queue) for lane, queue in QUEUES.items()}
            counter.require_writes()
            if monotonic() >= self._sample_due:
                self._sample(counter, waiting)
            held = counter.held()
            if held is None:
                held = sum(worker.queue.held for worker in self._workers)
            self._backlog.compare(waiting, held, self._means)
            self._note("broker", None)
        except Exception as exc:  # kombu passes on what each transport raises
            self._note("broker", exc)
            self._backlog.forget_broker()
            self._disconnect()

    def _sample(self, counter: QueueLook, waiting: dict[str, int]) -> None:
        """Look into some envelopes that nobody counted, where the broker lets us."""
        self._sample_due = monotonic() + SAMPLE_EVERY_S
        for lane, queue in QUEUES.items():
            seen = counter.sample(queue) if waiting[lane] else []
            if seen:
                self._means[lane] = sum(seen) / len(seen)

    def _connected(self) -> QueueLook:
        if self._counter is None:
            self._connection = self._app.connection_for_write(transport_options=self._timeouts)
            self._connection.connect()
            self._counter = self._queues(self._connection)
        return self._counter

    def _note(self, part: str, trouble: Exception | None) -> None:
        availability = self._availability[part]
        if trouble is None:
            availability.back()
        self._reasons[part] = availability.lost(trouble).message if trouble else None
        self._looked_at[part] = monotonic()

    def _disconnect(self) -> None:
        connection, self._connection, self._counter = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except Exception:
                log.debug("the monitor's broker connection did not close cleanly")
