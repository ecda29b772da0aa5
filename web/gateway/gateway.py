"""The front end's way to the workers and back: one gateway per web process.

Threads, each started in the process that serves (never before a fork):

==================  =====================================================================
sluice-dispatcher   the pending list; publishes interactive envelopes
sluice-replies      this process's reply list; wakes the request threads
sluice-backlog      how many messages are in the system, with the other processes
sluice-monitor      the broker's queues, worker statuses, whether broker and backend answer
sluice-overload     lets callers go early when nearly every thread waits
==================  =====================================================================
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from celery import Celery

from sluice.config.settings import Settings
from sluice.tasks.app import make_celery
from sluice.tasks.envelope import ENVELOPE_MESSAGES, LANES
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable, QueueFull
from sluice.tasks.ledger import Count
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.redis_client import connect
from sluice.tasks.results import ResultReader
from sluice.tasks.server import Availability, Server
from sluice.tasks.weeks import WeekFigures
from sluice.tasks.wire.entry import Entry
from sluice.tasks.wire.status import WorkerStatus
from sluice.web.gateway.backlog import Backlog
from sluice.web.gateway.dispatcher import Dispatcher
from sluice.web.gateway.job_service import PUBLISHING_AT_ONCE, JobService, JobSubmission, ResultPage
from sluice.web.gateway.job_status import JobStatus, own_entry
from sluice.web.gateway.job_store import IdempotencyRecord, Job
from sluice.web.gateway.overload_guard import OverloadGuard
from sluice.web.gateway.ports import Ports
from sluice.web.gateway.publisher_pool import PublisherPool
from sluice.web.gateway.service_monitor import ServiceMonitor
from sluice.web.gateway.waiting import Registry, Waiter

log = logging.getLogger(__name__)

#: Seconds beyond its own wait that a request gives the broker to take its message.
PUBLISH_GRACE_S = 8.0
#: Seconds that Redis may take for one answer.
BACKEND_TIMEOUT_S = 5.0
#: Seconds that a request thread waits for the ledger.
LEDGER_TIMEOUT_S = 1.0
SPARE_CONNECTIONS = 16
TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class Queued:
    """A message that is queued and whose answer is not there yet; found later as job ``id``."""

    id: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Callers that wait for an answer, messages not yet in an envelope, envelopes that somebody expects answers of."""

    callers: int
    messages: int
    envelopes: int


class Gateway:
    """Classifies messages through the broker, for the threads of one web process.

    Args:
        settings: broker, backend, limits.
        app: the Celery app; made from the settings when absent.
        ports: what it reaches broker and result backend through; the real ones when absent.
    """

    def __init__(self, settings: Settings, app: Celery | None = None, ports: Ports | None = None) -> None:
        self._ports = ports or Ports()
        self._settings = settings
        self._app = app
        self._parts: _Parts | None = None
        self._starting = threading.Lock()

    def classify(
        self, text: str, wait_s: float, *, options: PredictionOptions = LABEL_ONLY, punctual: bool = False
    ) -> Entry | Queued:
        """Classify one message together with whatever else arrives at this moment.

        Args:
            wait_s: longest time, seconds, to wait for the answer.
            options: what the answer has besides label and probability.
            punctual: to be told when ``wait_s`` is over, though the broker may be about to take the message.

        Returns:
            The entry (``sluice.tasks.envelope``; with what any message of its envelope wants), or ``Queued`` when the
            time ran out; always the latter for ``wait_s`` 0.

        Raises:
            QueueFull: too many messages wait.
            BrokerUnavailable: the message was not queued, or nobody knows whether it was.
            BackendUnavailable: it was queued, and its result cannot be promised to be found.
        """
        parts = self._running()
        self._admit(parts, "interactive", Count())
        waiter = Waiter(text, secrets.token_urlsafe(TOKEN_BYTES), options)
        parts.dispatcher.add(waiter)
        parts.overload_guard.begin(waiter)
        answered = waiter.wait(wait_s)
        parts.overload_guard.end(waiter)
        if not answered or wait_s <= 0:
            return self._late(parts, waiter, wait_s, punctual)
        if waiter.error is not None:
            raise waiter.error
        assert waiter.entry is not None
        return waiter.entry

    def submit_job(
        self,
        messages: list[str] | list[dict[str, str]],
        lane: str,
        wait_s: float = 0,
        idempotency: IdempotencyRecord | None = None,
        *,
        options: PredictionOptions = LABEL_ONLY,
        owner: str = "",
    ) -> JobSubmission:
        """Queue a job; see ``JobService.submit``.

        Raises:
            QueueFull: too many messages wait on this lane.
        """
        parts = self._running()
        self._admit(parts, lane, Count(math.ceil(len(messages) / ENVELOPE_MESSAGES), len(messages)))
        return parts.jobs.submit(messages, lane, wait_s, idempotency, options=options, owner=owner)

    def job(self, job_id: str) -> JobStatus:
        """The state of a job; NotFound, BackendUnavailable."""
        return self._running().jobs.status(job_id)

    def jobs(self, owner: str, before: str | None, count: int) -> list[tuple[str, JobStatus]]:
        """A caller's jobs, newest first; see ``JobService.listed``."""
        return self._running().jobs.listed(owner, before, count)

    def job_results(self, job_id: str, offset: int, limit: int) -> ResultPage:
        """Entries ``offset`` … of the finished beginning of a job, at most ``limit``."""
        return self._running().jobs.results(job_id, offset, limit)

    def stream_results(self, page: ResultPage) -> Iterator[list[Entry]]:
        """What follows a page of results, chunk by chunk."""
        return self._running().jobs.stream(page)

    def cancel(self, job_id: str) -> JobStatus:
        """Cancel what has not run."""
        return self._running().jobs.cancel(job_id)

    def workers(self) -> list[WorkerStatus]:
        """Statuses of the live workers, at most about two seconds old."""
        return self._running().monitor.workers()

    def weeks(self) -> list[WeekFigures]:
        """What versions of the model answered week by week, the latest first; at most half a minute old."""
        return self._running().monitor.weeks()

    def depth(self, lane: str | None = None) -> int:
        """Messages of a lane (or of all) that were let in and are not answered."""
        parts = self._running()
        lanes = LANES if lane is None else (lane,)
        return sum(parts.backlog.depth(one) + (parts.dispatcher.held() if one == "interactive" else 0) for one in lanes)

    def reasons(self) -> dict[str, str | None]:
        """Why ``broker`` and ``backend`` cannot be used now; None for each that can."""
        return self._running().monitor.reasons()

    def waiting(self) -> Waiting:
        """Who waits in this process now."""
        parts = self._running()
        return Waiting(len(parts.overload_guard), parts.dispatcher.held(), len(parts.registry))

    def start(self) -> None:
        """Look at broker and backend from now on: what is wrong with them is logged before the first request."""
        self._running()

    def release_callers(self) -> None:
        """Stop waiting for answers: every waiting request gets its 202 now. For shutdown."""
        parts = self._parts
        if parts is not None and parts.pid == self._ports.pid():
            parts.overload_guard.stop()

    def prepare_to_stop(self) -> None:
        """The process ends soon: keep nothing to be counted later."""
        parts = self._parts
        if parts is not None and parts.pid == self._ports.pid():
            parts.backlog.flush()

    def close(self) -> None:
        """Publish what is pending, let every waiter go and end the threads."""
        parts, self._parts = self._parts, None
        if parts is not None and parts.pid == self._ports.pid():
            parts.stop()

    def _running(self) -> _Parts:
        parts = self._parts
        if parts is None or parts.pid != self._ports.pid():
            with self._starting:
                parts = self._parts
                if parts is None or parts.pid != self._ports.pid():
                    parts = self._parts = _Parts(self._settings, self._app or make_celery(self._settings), self._ports)
        return parts

    def _admit(self, parts: _Parts, lane: str, count: Count) -> None:
        try:
            parts.backlog.admit(lane, count, parts.dispatcher.held() if lane == "interactive" else 0)
        except QueueFull as exc:
            over = exc.details["waiting"] - exc.details["limit"] + 1
            exc.retry_after_s = parts.monitor.retry_after_s(over)
            raise

    def _late(self, parts: _Parts, waiter: Waiter, wait_s: float, punctual: bool) -> Entry | Queued:
        """The wait is over without an answer: look once at what is stored, or say where it will be found."""
        if not waiter.wait_published(0 if punctual else PUBLISH_GRACE_S):
            parts.dispatcher.withdraw(waiter)
            parts.registry.abandon(waiter)
            raise BrokerUnavailable("the broker does not take messages now", retry_after_s=2)
        parts.registry.abandon(waiter)
        if waiter.error is not None:
            raise waiter.error
        if punctual and (reason := parts.monitor.reasons()["backend"]):
            raise BackendUnavailable(reason, retry_after_s=2)  # asking it would take seconds more
        job = Job.of_message(waiter.envelope_id, waiter.token, alone=waiter.alone, options=waiter.options)
        # Who does not wait is promised an id, however quick the answer was; it is stored before its reply is sent.
        entry = (waiter.entry or self._stored(parts, job)) if wait_s > 0 else None
        if entry is not None:
            return entry
        parts.store.put(job)
        return Queued(job.id)

    def _stored(self, parts: _Parts, job: Job) -> Entry | None:
        """The answer, if a worker stored it and its reply did not arrive."""
        stored = parts.reader.fetch([job.envelopes[0][0]])[0]
        return own_entry(stored, job) if stored.ready else None


class _Parts:
    """What a gateway runs in one process; made when the first request comes."""

    def __init__(self, settings: Settings, app: Celery, ports: Ports) -> None:
        self.pid = ports.pid()
        self.overload_guard = OverloadGuard(settings.web_threads)
        self.registry = Registry()
        # Every thread may ask at the same moment, and redis-py would refuse the 101st.
        client = connect(
            settings.backend, socket_timeout=BACKEND_TIMEOUT_S, max_connections=settings.web_threads + SPARE_CONNECTIONS
        )
        self.reader = ResultReader(app, client)
        backend = Server.backend(settings)
        availability = Availability(backend, log)
        self.store = ports.job_store(client, settings.result_ttl_s, backend)
        self.replies = ports.replies(settings.backend, self.registry.deliver, availability)
        ledger = connect(settings.backend, socket_timeout=LEDGER_TIMEOUT_S)
        self.backlog = Backlog(ledger, settings.max_queue_depth)
        self.monitor = ServiceMonitor(app, self.reader, self.backlog, availability, ports.queues)
        self.dispatcher = Dispatcher(
            ports.publisher(app),
            self.registry,
            self.replies.address,
            partial(self.backlog.enter, "interactive"),
            self.monitor.dispatch_policy,
        )
        self.jobs = JobService(
            app,
            self.store,
            self.reader,
            self.registry,
            self.overload_guard,
            self.replies.address,
            self.backlog,
            lambda envelope_ids: ports.revoke(app, client, envelope_ids, settings.result_ttl_s),
            PublisherPool(lambda: ports.publisher(app), PUBLISHING_AT_ONCE),
            ports.now,
        )
        for part in (self.overload_guard, self.replies, self.backlog, self.monitor, self.dispatcher):
            part.start()

    def stop(self) -> None:
        self.dispatcher.stop()
        self.jobs.stop()
        self.overload_guard.stop()
        self.monitor.stop()
        self.backlog.stop()
        self.replies.stop()
