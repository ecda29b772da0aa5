"""Descriptions of jobs, on a real Redis."""

from __future__ import annotations

from uuid import uuid4

import pytest
import redis

from sluice.tasks import keys
from sluice.tasks.errors import NotFound
from sluice.web.gateway.job_store import Job, JobStore

TTL_S = 600


@pytest.fixture
def jobs(store: redis.Redis) -> JobStore:
    return JobStore(store, TTL_S)


@pytest.fixture
def job(jobs: JobStore) -> Job:
    """A job that was just described."""
    made = Job(str(uuid4()), 3, 1_700_000_000.123456, "bulk", [("a", 2), ("b", 1)], named=True)
    jobs.create(made, (f"group-{made.id}", "{}"), ["x", "y", "z"])
    return made


def test_a_job_is_read_as_it_was_written(jobs: JobStore, job: Job, store: redis.Redis) -> None:
    assert jobs.get(job.id) == job
    assert jobs.message_ids(job.id) == ["x", "y", "z"]
    assert 0 < store.ttl(keys.job(job.id)) <= TTL_S


def test_a_message_of_a_shared_envelope_is_read_as_it_was_written(jobs: JobStore, store: redis.Redis) -> None:
    one = Job.of_message("envelope", "token", alone=True)
    jobs.put(one)
    assert jobs.get(one.id) == one
    assert 0 < store.ttl(keys.job(one.id)) <= TTL_S


def test_marks_do_not_undo_each_other(jobs: JobStore, job: Job, store: redis.Redis) -> None:
    """Both are set by threads or processes that read the job before either mark was there."""
    jobs.mark_cancelled(job)
    jobs.mark_published(job)
    jobs.mark_cancelled(job)
    after = jobs.get(job.id)
    assert (after.cancelled, after.published) == (True, True)
    assert 0 < store.ttl(keys.job(job.id)) <= TTL_S


def test_a_discarded_job_is_not_marked_back_to_life(jobs: JobStore, job: Job) -> None:
    jobs.discard(job, f"group-{job.id}", None)
    jobs.mark_published(job)
    with pytest.raises(NotFound):
        jobs.get(job.id)
