"""Jobs: a job is a Celery group of envelopes, described in Redis before the first of them is published."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any
from uuid import uuid4

from celery import Celery, states

from sluice.tasks.envelope import ENVELOPE_MESSAGES
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable, NotFound, SluiceError
from sluice.tasks.ledger import Count
from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.results import ResultReader, entries_of
from sluice.tasks.wire.entry import Entry, id_of, named
from sluice.tasks.wire.resultmeta import StoredError, StoredResult, pack_meta
from sluice.web.gateway.backlog import Backlog
from sluice.web.gateway.job_status import (
    JobStatus,
    addressed,
    finished,
    job_status,
    queued,
    single_entry,
    single_status,
)
from sluice.web.gateway.job_store import IdempotencyRecord, Job, JobStore
from sluice.web.gateway.overload_guard import OverloadGuard
from sluice.web.gateway.publisher_pool import PublisherPool
from sluice.web.gateway.waiting import JobCollector, Registry

log = logging.getLogger(__name__)

#: Jobs that are published at the same moment.
PUBLISHING_AT_ONCE = 4
#: Seconds after which a job that is described and not published was left by a process that ended.
PUBLISHING_TAKES_S = 60.0
#: Seconds that a request waits for an earlier one with the same Idempotency-Key to publish the job.
AGAIN_WAIT_S = 2.0
#: Seconds between looks at a job that another request submitted.
POLL_S = 0.05
#: What Celery stores of a revoked task.
CANCELLED: StoredError = {
    "exc_type": "TaskRevokedError",
    "exc_message": ["cancelled"],
    "exc_module": "celery.exceptions",
}
#: Envelopes whose results are read in one round trip.
READ_ENVELOPES = 8


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Entries ``offset`` … of a job's finished beginning, each with its message's id."""

    status: JobStatus
    offset: int
    entries: list[Entry]
    job: Job = field(repr=False)

    @property
    def next_offset(self) -> int | None:
        """Where the next page begins; None after the job's last message."""
        end = self.offset + len(self.entries)
        return end if end < self.status.total else None


@dataclass(frozen=True, slots=True)
class JobSubmission:
    """A job as it was accepted; ``entries`` only when all were ready in time."""

    status: JobStatus
    entries: list[Entry] | None = None


class JobService:
    """Submits, reads and cancels jobs for the request threads of one process.

    Args:
        reply_to: address of this process's reply listener, for callers that wait.
        revoke: keeps the workers from beginning envelopes (``sluice.tasks.revocation``).
        publishers: those of jobs.
        now: Unix seconds.
    """

    def __init__(
        self,
        app: Celery,
        store: JobStore,
        reader: ResultReader,
        registry: Registry,
        overload_guard: OverloadGuard,
        reply_to: str,
        backlog: Backlog,
        revoke: Callable[[list[str]], None],
        publishers: PublisherPool,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._backend = app.backend
        self._store = store
        self._reader = reader
        self._registry = registry
        self._overload_guard = overload_guard
        self._reply_to = reply_to
        self._backlog = backlog
        self._revoke_envelopes = revoke
        self._publishers = publishers
        self._now = now

    def submit(
        self,
        messages: list[str] | list[dict[str, str]],
        lane: str,
        wait_s: float,
        idempotency: IdempotencyRecord | None,
        *,
        options: PredictionOptions = LABEL_ONLY,
        owner: str = "",
    ) -> JobSubmission:
        """Describe, publish and, for ``wait_s`` seconds, await a job, whose messages the backlog has let in.

        Args:
            messages: texts, or ``{"id", "text"}`` objects with ids that differ.
            idempotency: the caller's Idempotency-Key; a job that holds it already is returned instead.
            options: what results have besides label and probability.
            owner: stands for the caller, in whose list the job is.

        Raises:
            BrokerUnavailable: the job was not published, and nothing of it is left; or it is a job that holds
                ``idempotency`` already and nobody knows yet whether it will be.
            BackendUnavailable: the job was not published.
            Conflict: the key was used with another body.
        """
        cuts = [messages[at : at + ENVELOPE_MESSAGES] for at in range(0, len(messages), ENVELOPE_MESSAGES)]
        ids = [str(one["id"]) for one in messages if isinstance(one, dict)]
        job_id = str(uuid4())
        idempotency = replace(idempotency, job_id=job_id) if idempotency else None
        job = Job(
            id=job_id,
            total=len(messages),
            created_at=self._now(),
            lane=lane,
            envelopes=[(str(uuid4()), len(cut)) for cut in cuts],
            named=bool(ids),
            scores=options.scores,
            verdict=options.verdict,
            owner=owner,
        )
        try:
            held_by = self._store.create(job, self._group(job), ids, idempotency)
        except BaseException:
            self._backlog.enter(lane, -job.count)
            raise
        if held_by is not None:
            self._backlog.enter(lane, -job.count)
            return self._again(held_by, cuts, wait_s, idempotency)
        collector = self._expect(job) if wait_s > 0 else None
        try:
            self._publish(job, cuts, collector is not None, idempotency)
            entries = self._wait(collector, wait_s) if collector else None
        finally:
            if collector:
                for envelope_id, _ in job.envelopes:
                    self._registry.forget(envelope_id)
        if collector and entries is None:
            return self._look_once(job)
        if entries is None:
            return JobSubmission(queued(job))
        return JobSubmission(finished(job, entries), self._named(job, entries, 0, ids))

    def status(self, job_id: str) -> JobStatus:
        """The state of a job.

        Raises:
            NotFound: unknown or expired.
            BackendUnavailable: the result backend does not answer.
        """
        return self._status(self._store.get(job_id))[0]

    def listed(self, owner: str, before: str | None, count: int) -> list[tuple[str, JobStatus]]:
        """At most ``count`` jobs of a caller, newest first, each with its position; from behind ``before``."""
        jobs = self._store.listed(owner, before, count)
        progress = self._store.progress_of([job.id for job in jobs])
        # Whether anything of a job has begun is asked of its envelopes only if none of them is finished.
        asked = [one for job, far in zip(jobs, progress, strict=True) if not far.envelopes for one, _ in job.envelopes]
        begun = {one for one, stored in zip(asked, self._reader.fetch(asked), strict=True) if stored.begun}
        found = []
        for job, far in zip(jobs, progress, strict=True):
            started = bool(far.envelopes) or any(one in begun for one, _ in job.envelopes)
            unfinished = len(far.envelopes) < len(job.envelopes)
            found.append((job.position, job_status(job, far, unfinished, started)))
        return found

    def results(self, job_id: str, offset: int, limit: int) -> ResultPage:
        """At most ``limit`` entries from ``offset`` on, as far as every message before them is finished too."""
        job = self._store.get(job_id)
        status, stored = self._status(job)
        if job.token is not None:
            ready = status.finished and offset == 0 and limit > 0
            entries = [named(single_entry(job, stored), "0")] if ready else []
            return ResultPage(status, offset, entries, job)
        return ResultPage(status, offset, self._read(job, offset, limit), job)

    def stream(self, page: ResultPage) -> Iterator[list[Entry]]:
        """The entries after ``page``, chunk by chunk, to the end of the job's finished beginning."""
        offset = page.offset + len(page.entries)
        while offset < page.status.total:
            entries = self._read(page.job, offset, READ_ENVELOPES * ENVELOPE_MESSAGES)
            if not entries:
                return
            yield entries
            offset += len(entries)

    def cancel(self, job_id: str) -> JobStatus:
        """Cancel what has not run. A finished job stays as it is; doing it twice is doing it once.

        One message of an envelope that it shares with other callers' messages may still run; nobody sees its answer.
        """
        job = self._store.get(job_id)
        status, _ = self._status(job)
        # One that is cancelled and has envelopes left may be waiting for an attempt that gets further.
        if status.finished and status.done == status.total:
            return status
        self._store.mark_cancelled(job)
        progress = self._store.progress(job_id)
        self._revoke(job, [one for one in job.envelopes if one[0] not in progress.envelopes and one[1]])
        return self.status(job_id)

    def stop(self) -> None:
        """Give back what is kept for the next job."""
        self._publishers.close()

    # -- publishing

    def _publish(self, job: Job, cuts: list[Any], wants_reply: bool, idempotency: IdempotencyRecord | None) -> None:
        """Send a job that the backlog has already; what does not go out is taken off it."""
        sent, left = 0, job.count
        try:
            with self._publishers.acquire() as publisher:
                for index, ((envelope_id, count), cut) in enumerate(zip(job.envelopes, cuts, strict=True)):
                    publisher.publish(
                        cut,
                        lane=job.lane,
                        envelope_id=envelope_id,
                        reply_to=self._reply_to if wants_reply else None,
                        more=job.total - sent - count,
                        group_id=job.id,
                        group_index=index,
                        options=job.options,
                        counted=True,
                    )
                    sent += count
                    left += Count(-1, -count)
        except Exception as exc:
            self._backlog.enter(job.lane, -left)
            self._undo(job, idempotency)
            if isinstance(exc, SluiceError):
                raise
            log.error("job %s could not be published: %s", job.id, type(exc).__name__)
            raise BrokerUnavailable("the job could not be handed to the broker", retry_after_s=2) from None
        try:
            self._store.mark_published(job)
        except BackendUnavailable:
            log.warning("job %s is published, but is not marked so", job.id)

    def _undo(self, job: Job, idempotency: IdempotencyRecord | None) -> None:
        """Publishing stopped half-way: what went out must not run, and nothing may look like a live job."""
        try:
            self._revoke(job, job.envelopes)
        except BackendUnavailable:
            log.warning("job %s was refused but could not be marked as cancelled", job.id)
        try:
            self._store.discard(job, self._group_key(job), idempotency)
        except BackendUnavailable:
            log.warning("job %s was refused but its description could not be removed", job.id)

    def _revoke(self, job: Job, envelopes: list[tuple[str, int]]) -> None:
        """Keep the workers from beginning the envelopes, and store them as revoked where nothing is stored yet."""
        if not envelopes:
            return
        # First: what runs cannot be taken back, what is stored can be stored at the next try.
        self._revoke_envelopes([one for one, _ in envelopes])
        self._store.store_revoked(
            job.id,
            [
                (one, self._backend.get_key_for_task(one).decode(), self._revoked_meta(job, one), count)
                for one, count in envelopes
            ],
        )

    def _revoked_meta(self, job: Job, envelope_id: str) -> bytes:
        finished_at = self._backend.app.now().isoformat()
        return pack_meta(envelope_id, states.REVOKED, CANCELLED, finished_at, group_id=job.id)

    def _group(self, job: Job) -> tuple[str, str]:
        """Key and value under which Celery's ``GroupResult.restore`` finds the job.

        Written as data: a ``GroupResult`` object would subscribe to each of its members when it is made.
        """
        members = [[[one, None], None] for one, _ in job.envelopes]
        return self._group_key(job), self._backend.encode({"result": [[job.id, None], members]})

    def _group_key(self, job: Job) -> str:
        return self._backend.get_key_for_group(job.id).decode()

    def _again(
        self, job_id: str, cuts: list[Any], wait_s: float, idempotency: IdempotencyRecord | None
    ) -> JobSubmission:
        """A request that was made before: its job, published once more if the process that began to is gone."""
        try:
            job = self._store.get(job_id)
            if not self._is_out(job):
                if self._now() - job.created_at > PUBLISHING_TAKES_S:
                    self._backlog.enter(job.lane, job.count)
                    self._publish(job, cuts, wants_reply=False, idempotency=idempotency)
                else:
                    self._await_publishing(job_id)
        except NotFound:
            raise BrokerUnavailable("the first try could not be handed to the broker", retry_after_s=1) from None
        ends = time.monotonic() + wait_s
        while (
            time.monotonic() < ends
            and not self._status(job)[0].finished
            and not self._overload_guard.stopping.wait(POLL_S)
        ):
            pass
        return self._look_once(job) if wait_s else JobSubmission(self._status(job)[0])

    def _is_out(self, job: Job) -> bool:
        """Whether a job is published, as its mark says or, if that could not be written, its envelopes."""
        return job.published or self._status(job)[0].state != "queued"

    def _await_publishing(self, job_id: str) -> None:
        """Another request is publishing the job, or was when its process ended: a 202 now might promise too much."""
        ends = time.monotonic() + AGAIN_WAIT_S
        while not self._store.get(job_id).published:
            if time.monotonic() > ends or self._overload_guard.stopping.wait(POLL_S):
                raise BrokerUnavailable("the first try is still being handed to the broker", retry_after_s=2)

    # -- waiting

    def _expect(self, job: Job) -> JobCollector:
        collector = JobCollector(job.envelopes)
        for envelope_id, _ in job.envelopes:
            self._registry.expect(envelope_id, collector)
        return collector

    def _wait(self, collector: JobCollector, wait_s: float) -> list[Entry] | None:
        self._overload_guard.begin(collector)
        entries = collector.wait(wait_s)
        self._overload_guard.end(collector)
        return entries

    def _look_once(self, job: Job) -> JobSubmission:
        """The time is over: replies can be lost with a web process's connection, stored results cannot."""
        try:
            page = self.results(job.id, 0, job.total)
        except BackendUnavailable:
            return JobSubmission(queued(job))
        complete = page.status.finished and len(page.entries) == job.total
        return JobSubmission(page.status, page.entries if complete else None)

    # -- reading

    def _status(self, job: Job) -> tuple[JobStatus, StoredResult | None]:
        """The status, and for one message of a shared envelope what is stored of that."""
        if job.token is not None:
            stored = self._reader.fetch([job.envelopes[0][0]])[0]
            return single_status(job, stored), stored
        progress = self._store.progress(job.id)
        left = [one for one, _ in job.envelopes if one not in progress.envelopes]
        if left:
            self._store.keep(job, self._group_key(job))
        started = bool(progress.envelopes) or any(one.begun for one in self._reader.fetch(left))
        return job_status(job, progress, bool(left), started), None

    def _read(self, job: Job, offset: int, limit: int) -> list[Entry]:
        """Entries ``offset`` …, up to the first envelope without a result."""
        ends = list(accumulate(count for _, count in job.envelopes))
        end = min(offset + limit, job.total)
        entries: list[Entry] = []
        wanted = [
            (one, count, last - count)
            for (one, count), last in zip(job.envelopes, ends, strict=True)
            if last > offset and last - count < end
        ]
        for at in range(0, len(wanted), READ_ENVELOPES):
            chunk = wanted[at : at + READ_ENVELOPES]
            for stored, (_, count, first) in zip(self._reader.fetch([c[0] for c in chunk]), chunk, strict=True):
                if not stored.ready:
                    return self._named(job, entries, offset)
                entries += entries_of(stored, count)[max(0, offset - first) : end - first]
        return self._named(job, entries, offset)

    def _named(self, job: Job, entries: list[Entry], offset: int, ids: list[str] | None = None) -> list[Entry]:
        """Every entry with its message's id first: the caller's, else the index."""
        if job.named and any(id_of(entry) is None for entry in entries):
            ids = ids or self._store.message_ids(job.id)
        found = []
        for index, entry in enumerate(entries, offset):
            identity = id_of(entry) or (ids[index] if job.named and ids else str(index))
            entry = addressed(entry, f"messages[{index}].text" if job.named else f"texts[{index}]")
            found.append(named(entry, identity))
        return found
