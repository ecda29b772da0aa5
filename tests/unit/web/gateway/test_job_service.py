"""Jobs on a real Redis, against a worker without a model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from uuid import uuid4

import orjson
import pytest
import redis
from celery import Celery
from celery.result import GroupResult
from kombu.pools import producers

from sluice.harness.process import wait_for
from sluice.tasks import keys
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable, Conflict, NotFound, TooManyDeliveries
from sluice.tasks.wire.entry import fault_of, prediction, prediction_of
from sluice.web.gateway import Gateway
from sluice.web.gateway.job_service import PUBLISHING_TAKES_S
from sluice.web.gateway.job_store import IdempotencyRecord, Job, JobStore
from tests.unit.web.fake_worker import FakeWorker, label_of
from tests.unit.web.gateway.ports import Options, refusing, watched


class UnmarkableJobs(JobStore):
    """The backend goes away once a job is published."""

    def mark_published(self, job: Job) -> None:
        raise BackendUnavailable("away", retry_after_s=2)


class UnrevokableJobs(JobStore):
    """The backend is away when envelopes are to be stored as revoked."""

    def store_revoked(self, job_id: str, envelopes: list[tuple[str, str, bytes, int]]) -> None:
        raise BackendUnavailable("away", retry_after_s=2)


def test_a_job_runs_and_any_celery_client_can_restore_it(
    gateway: Gateway, worker: FakeWorker, celery_app: Celery
) -> None:
    texts = [f"win {i}" if i % 2 else f"text {i}" for i in range(600)]
    job_id = gateway.submit_job(texts, "bulk").status.id
    status = wait_for(lambda: (one := gateway.job(job_id)).finished and one, "the job", 10)
    assert (status.state, status.total, status.done, status.failed) == ("done", 600, 600, 0)  # type: ignore[attr-defined]
    page = gateway.job_results(job_id, 250, 20)
    assert [entry["id"] for entry in page.entries] == [str(i) for i in range(250, 270)]
    assert [prediction_of(entry)["label"] for entry in page.entries] == [label_of(text) for text in texts[250:270]]
    group = GroupResult.restore(job_id, app=celery_app)
    assert group is not None
    assert [len(one) for one in group.get(timeout=5)] == [256, 256, 88]
    assert [one["group"] for one in worker.headers] == [job_id] * 3
    assert [one["group_index"] for one in worker.headers] == [0, 1, 2]


def test_a_job_can_be_awaited(gateway: Gateway, worker: FakeWorker) -> None:
    messages = [{"id": "a", "text": "you win"}, {"id": "b", "text": "boom"}]
    submission = gateway.submit_job(messages, "interactive", wait_s=5)
    assert submission.entries is not None
    assert [(one["id"], one.get("label")) for one in submission.entries] == [("a", "spam"), ("b", None)]
    assert (submission.status.state, submission.status.done, submission.status.failed) == ("done", 2, 1)
    assert gateway.waiting().envelopes == 0


def test_a_job_whose_replies_are_lost_is_found_in_the_store(gateway: Gateway, worker: FakeWorker) -> None:
    worker.replying = False
    submission = gateway.submit_job(["you win"], "interactive", wait_s=0.5)
    assert submission.entries is not None
    assert prediction_of(submission.entries[0])["label"] == "spam"


def test_results_come_as_far_as_they_are_finished(gateway: Gateway, worker: FakeWorker, job_store: JobStore) -> None:
    worker.pause()
    job_id = gateway.submit_job(["hello"] * 300, "bulk").status.id
    assert gateway.job(job_id).state == "queued"
    assert gateway.job_results(job_id, 0, 10).entries == []
    first = job_store.get(job_id).envelopes[0][0]
    worker.store(first, [prediction(None, "ham", 1.0, "m", "1")] * 256, job_id)
    assert gateway.job(job_id).state == "running"
    page = gateway.job_results(job_id, 250, 20)
    assert len(page.entries) == 6
    assert page.next_offset == 256


def test_cancelling_twice_is_cancelling_once(gateway: Gateway, worker: FakeWorker) -> None:
    worker.pause()
    messages = [{"id": f"m{i}", "text": "hello"} for i in range(300)]
    job_id = gateway.submit_job(messages, "bulk").status.id
    assert gateway.cancel(job_id) == gateway.cancel(job_id)
    status = gateway.job(job_id)
    assert (status.state, status.done, status.failed) == ("cancelled", 300, 300)
    assert status.finished_at is not None
    assert status.created_at <= status.finished_at <= time.time()
    entries = gateway.job_results(job_id, 255, 2).entries
    assert [(one["id"], fault_of(one)["code"]) for one in entries] == [("m255", "revoked"), ("m256", "revoked")]


def test_a_job_that_is_cancelled_while_it_runs_is_finished_from_then_on(
    gateway: Gateway, worker: FakeWorker, job_store: JobStore
) -> None:
    worker.pause()
    job_id = gateway.submit_job(["hello"] * 300, "bulk").status.id
    first = job_store.get(job_id).envelopes[0][0]
    worker.store_started(first)
    cancelled = gateway.cancel(job_id)
    assert (cancelled.state, cancelled.done) == ("cancelled", 44)
    assert cancelled.finished_at is not None
    worker.store(first, [prediction(None, "ham", 1.0, "m", "1")] * 256, job_id)
    later = gateway.job(job_id)
    assert (later.done, later.finished_at) == (300, cancelled.finished_at)


def test_an_envelope_that_was_given_up_says_so(gateway: Gateway, worker: FakeWorker, job_store: JobStore) -> None:
    worker.pause()
    job_id = gateway.submit_job(["hello"] * 2, "bulk").status.id
    ((envelope, _),) = job_store.get(job_id).envelopes
    worker.store_failure(envelope, TooManyDeliveries("given up"))
    errors = [fault_of(one) for one in gateway.job_results(job_id, 0, 2).entries]
    assert errors == [{"code": "too_many_deliveries", "message": "given up"}] * 2


def test_a_finished_job_cannot_be_cancelled(gateway: Gateway, worker: FakeWorker) -> None:
    job_id = gateway.submit_job(["hello"], "interactive", wait_s=5).status.id
    assert gateway.cancel(job_id).state == "done"


def test_an_unknown_job_is_not_found(gateway: Gateway) -> None:
    with pytest.raises(NotFound):
        gateway.job("00000000-0000-0000-0000-000000000000")


def test_a_job_that_is_published_by_half_leaves_nothing(
    gateway_with: Callable[..., Gateway], worker: FakeWorker, store: redis.Redis
) -> None:
    worker.pause()
    before = set(store.scan_iter("sluice:*"))
    sent: list[str] = []

    def half(options: Options) -> None:
        if sent:
            raise BrokerUnavailable("away", retry_after_s=2)
        sent.append(str(options["envelope_id"]))

    gateway = gateway_with(publisher=watched(half))
    with pytest.raises(BrokerUnavailable):
        gateway.submit_job(["hello"] * 600, "bulk")
    assert set(store.scan_iter("sluice:*")) - before <= {keys.REVOKED.encode()}
    meta = store.get(f"celery-task-meta-{sent[0]}")
    assert meta is not None
    assert b"REVOKED" in meta


def test_the_same_key_with_the_same_body_is_the_same_job(gateway: Gateway, worker: FakeWorker) -> None:
    idempotency = IdempotencyRecord(uuid4().hex, "body")
    first = gateway.submit_job(["hello"], "interactive", idempotency=idempotency)
    second = gateway.submit_job(["hello"], "interactive", idempotency=idempotency)
    assert first.status.id == second.status.id
    third = gateway.submit_job(["hello"], "interactive", wait_s=2, idempotency=idempotency)
    assert third.entries is not None
    assert [prediction_of(one)["label"] for one in third.entries] == ["ham"]
    with pytest.raises(Conflict):
        gateway.submit_job(["other"], "interactive", idempotency=IdempotencyRecord(idempotency.digest, "other body"))


def test_a_key_of_a_refused_job_can_be_used_again(
    gateway: Gateway, gateway_with: Callable[..., Gateway], worker: FakeWorker
) -> None:
    idempotency = IdempotencyRecord(uuid4().hex, "body")
    with pytest.raises(BrokerUnavailable):
        gateway_with(publisher=refusing(BrokerUnavailable("away", retry_after_s=2))).submit_job(
            ["hello"], "interactive", idempotency=idempotency
        )
    assert gateway.submit_job(["hello"], "interactive", wait_s=5, idempotency=idempotency).entries


def test_jobs_share_the_channel_of_the_one_before(
    gateway_with: Callable[..., Gateway], worker: FakeWorker, celery_app: Celery
) -> None:
    gateway = gateway_with()
    assert gateway.submit_job(["hello"], "interactive", wait_s=5).entries
    pool = producers[celery_app.connection_for_write()]
    acquired: list[int] = []
    acquire = pool.acquire

    def counted(*args: Any, **options: Any) -> Any:
        acquired.append(1)
        return acquire(*args, **options)

    pool.acquire = counted
    try:
        for _ in range(3):
            assert gateway.submit_job(["hello"], "interactive", wait_s=5).entries
    finally:
        del pool.acquire
    assert not acquired


def test_a_job_left_half_way_by_a_dead_process_is_published_by_the_next_try(
    gateway_with: Callable[..., Gateway], worker: FakeWorker, store: redis.Redis
) -> None:
    idempotency = IdempotencyRecord(uuid4().hex, "body")
    with pytest.raises(SystemExit):
        gateway_with(publisher=refusing(SystemExit())).submit_job(["hello"], "interactive", idempotency=idempotency)
    record = store.get(keys.idempotency(idempotency.digest))
    assert record is not None
    job_id = orjson.loads(record)["job"]
    with pytest.raises(BrokerUnavailable) as early:
        gateway_with().submit_job(["hello"], "interactive", wait_s=0.2, idempotency=idempotency)
    assert early.value.retry_after_s
    later = gateway_with(now=lambda: time.time() + PUBLISHING_TAKES_S + 1)
    submission = later.submit_job(["hello"], "interactive", wait_s=5, idempotency=idempotency)
    assert submission.status.id == job_id
    assert submission.entries is not None


def test_a_try_that_comes_while_the_first_is_publishing_waits_for_it(
    gateway_with: Callable[..., Gateway], worker: FakeWorker
) -> None:
    idempotency, publishing, gate = IdempotencyRecord(uuid4().hex, "body"), threading.Event(), threading.Event()

    def slow(options: Options) -> None:
        publishing.set()
        gate.wait(5)

    gateway = gateway_with(publisher=watched(slow))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(gateway.submit_job, ["hello"], "interactive", 0, idempotency)
        assert publishing.wait(5)
        second = pool.submit(gateway.submit_job, ["hello"], "interactive", 0, idempotency)
        with pytest.raises(TimeoutError):
            second.result(0.2)
        gate.set()
        assert first.result(5).status.id == second.result(5).status.id


def test_a_job_that_cannot_be_marked_as_published_is_accepted(
    gateway_with: Callable[..., Gateway], worker: FakeWorker
) -> None:
    idempotency = IdempotencyRecord(uuid4().hex, "body")
    gateway = gateway_with(job_store=UnmarkableJobs)
    submission = gateway.submit_job(["hello"], "interactive", wait_s=5, idempotency=idempotency)
    assert submission.entries is not None
    again = gateway.submit_job(["hello"], "interactive", wait_s=5, idempotency=idempotency)
    assert again.status.id == submission.status.id


def test_workers_hear_of_a_refused_job_while_the_backend_is_away(
    gateway_with: Callable[..., Gateway], worker: FakeWorker
) -> None:
    told: list[str] = []
    discarded: list[str] = []

    class Jobs(UnrevokableJobs):
        def discard(self, job: Job, group_key: str, idempotency: IdempotencyRecord | None) -> None:
            discarded.append(job.id)

    gateway = gateway_with(
        publisher=refusing(BackendUnavailable("away", retry_after_s=2)),
        job_store=Jobs,
        revoke=lambda app, client, envelope_ids, ttl_s: told.extend(envelope_ids),
    )
    with pytest.raises(BackendUnavailable):
        gateway.submit_job(["hello"] * 300, "bulk")
    assert len(told) == 2
    assert len(discarded) == 1


def test_a_cancellation_that_failed_half_way_can_be_repeated(
    gateway: Gateway, gateway_with: Callable[..., Gateway], worker: FakeWorker
) -> None:
    worker.pause()
    job_id = gateway.submit_job(["hello"] * 300, "bulk").status.id
    with pytest.raises(BackendUnavailable):
        gateway_with(job_store=UnrevokableJobs).cancel(job_id)
    status = gateway.cancel(job_id)
    assert (status.state, status.done) == ("cancelled", 300)


def test_a_caller_s_jobs_are_listed_newest_first(gateway: Gateway, worker: FakeWorker) -> None:
    owner = uuid4().hex
    ids = [gateway.submit_job(["you win"], "bulk", 5, owner=owner).status.id for _ in range(5)]
    worker.pause()
    waiting = gateway.submit_job(["x"] * 300, "bulk", owner=owner).status.id
    rows = gateway.jobs(owner, None, 100)
    assert [status.id for _, status in rows] == [waiting, *reversed(ids)]
    assert [status.state for _, status in rows] == ["queued", *["done"] * 5]
    assert [(status.total, status.done) for _, status in rows] == [(300, 0), *[(1, 1)] * 5]
    assert gateway.jobs(owner, rows[1][0], 2) == rows[2:4]
    assert gateway.jobs(owner, rows[-1][0], 2) == []
    assert gateway.jobs(uuid4().hex, None, 2) == []


def test_what_has_expired_or_was_refused_is_not_listed(
    gateway: Gateway, gateway_with: Callable[..., Gateway], worker: FakeWorker, store: redis.Redis
) -> None:
    owner = uuid4().hex
    ids = [gateway.submit_job(["you win"], "bulk", owner=owner).status.id for _ in range(6)]
    store.delete(*[keys.job(one) for one in ids[1:5]])
    assert [status.id for _, status in gateway.jobs(owner, None, 2)] == [ids[5], ids[0]]
    assert store.zcard(keys.jobs(owner)) == 2
    assert 0 < store.ttl(keys.jobs(owner)) <= 600
    refused = gateway_with(publisher=refusing(BrokerUnavailable("gone")))
    with pytest.raises(BrokerUnavailable):
        refused.submit_job(["x"], "bulk", owner=owner)
    assert len(gateway.jobs(owner, None, 10)) == 2


def test_a_list_holds_so_many_jobs(gateway_with: Callable[..., Gateway], worker: FakeWorker) -> None:
    gateway = gateway_with(job_store=partial(JobStore, most_listed=3))
    owner = uuid4().hex
    ids = [gateway.submit_job(["you win"], "bulk", owner=owner).status.id for _ in range(5)]
    assert [status.id for _, status in gateway.jobs(owner, None, 10)] == ids[:1:-1]
