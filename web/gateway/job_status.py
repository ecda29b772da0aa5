"""A job's state as its callers see it, from what is stored of it. Pure: nothing here asks Redis."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from celery import states

from sluice.tasks.envelope import said_of
from sluice.tasks.errors import InvalidInput
from sluice.tasks.results import entries_of
from sluice.tasks.wire.entry import Entry, failure, fault_of, id_of, is_prediction
from sluice.tasks.wire.progress import JobProgress
from sluice.tasks.wire.resultmeta import StoredResult
from sluice.web.gateway.job_store import Job

REVOKED_ENTRY_MESSAGE = "cancelled before the model saw it"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What ``GET /jobs/ID`` says; ``done`` counts finished messages, those that failed included."""

    id: str
    state: str
    total: int
    done: int
    failed: int
    created_at: float
    finished_at: float | None

    @property
    def finished(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


def own_entry(stored: StoredResult, job: Job) -> Entry:
    """The entry of the message with the job's token, from its envelope's finished result."""
    entries = entries_of(stored, 1)
    mine = (entry for entry in entries if id_of(entry) == job.token)
    # An envelope that failed as a whole has entries without ids, all alike.
    entry = next(mine, None) or next(
        (entry for entry in entries if id_of(entry) is None), failure(None, "model_failed", "no result was stored")
    )
    return job.options.trimmed(entry)


def addressed(entry: Entry, field: str) -> Entry:
    """An entry as the job's caller gets it: what is wrong with a text is said of its field of the request."""
    if is_prediction(entry) or (fault := fault_of(entry))["code"] != InvalidInput.code:
        return entry
    return failure(id_of(entry), fault["code"], said_of(field, fault["message"]))


def single_entry(job: Job, stored: StoredResult | None) -> Entry:
    if job.cancelled or stored is None:
        return failure(None, "revoked", REVOKED_ENTRY_MESSAGE)
    return own_entry(stored, job)


def single_status(job: Job, stored: StoredResult) -> JobStatus:
    finished_at: float | None = None
    if job.cancelled:
        state, done, bad, finished_at = "cancelled", 1, 1, job.cancelled_at
    elif stored.ready:
        bad = int(not is_prediction(own_entry(stored, job)))
        state, done = ("cancelled" if stored.state == states.REVOKED else "failed" if bad else "done"), 1
        finished_at = datetime.fromisoformat(stored.finished_at).timestamp() if stored.finished_at else None
    else:
        state, done, bad = ("queued" if stored.state == states.PENDING else "running"), 0, 0
    return JobStatus(job.id, state, 1, done, bad, job.created_at, finished_at)


def job_status(job: Job, progress: JobProgress, unfinished: bool, started: bool) -> JobStatus:
    if job.cancelled:
        state = "cancelled"
    elif unfinished:
        state = "running" if started else "queued"
    else:
        state = "failed" if progress.labelled == 0 else "done"
    return JobStatus(
        id=job.id,
        state=state,
        total=job.total,
        done=progress.labelled + progress.failed,
        failed=progress.failed,
        created_at=job.created_at,
        # A cancelled job is finished for its caller, whatever a worker still does with an envelope that it had begun.
        finished_at=job.cancelled_at if job.cancelled else None if unfinished else progress.last_at,
    )


def queued(job: Job) -> JobStatus:
    return JobStatus(job.id, "queued", job.total, 0, 0, job.created_at, None)


def finished(job: Job, entries: list[Entry]) -> JobStatus:
    bad = sum(not is_prediction(entry) for entry in entries)
    state = "failed" if bad == job.total else "done"
    return JobStatus(job.id, state, job.total, job.total, bad, job.created_at, time.time())
