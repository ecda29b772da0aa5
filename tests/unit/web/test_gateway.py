"""The gateway on a real Redis, against a worker without a model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import redis
from celery import Celery
from celery.result import GroupResult

from sluice.config.settings import read
from sluice.harness.process import wait_for
from sluice.tasks import keys
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable, Conflict, NotFound, QueueFull, TooManyDeliveries
from sluice.tasks.publisher import Publisher
from sluice.web.gateway import Gateway, Queued
from sluice.web.gateway.job_service import JobService
from sluice.web.gateway.job_store import IdempotencyRecord, JobStore
from sluice.web.gateway.publisher_pool import PublisherPool
from sluice.web.gateway.service_monitor import ServiceMonitor
from tests.unit.web.fake_worker import FakeWorker, label_of


def test_a_message_gets_its_own_answer(gateway: Gateway, worker: FakeWorker) -> None:
    entry = gateway.classify("you win", 5)
    assert not isinstance(entry, Queued)
    assert (entry["label"], entry["probability"], entry["model"]) == ("spam", 0.875, "fake")


def test_many_at_once_share_envelopes_and_get_their_own_answers(gateway: Gateway, worker: FakeWorker) -> None:
    texts = [f"win {i}" if i % 3 == 0 else f"text {i}" for i in range(300)]
    with ThreadPoolExecutor(64) as pool:
        entries = list(pool.map(lambda text: gateway.classify(text, 10), texts))
    assert [entry["label"] for entry in entries] == [label_of(text) for text in texts]  # type: ignore[index]
    assert sum(worker.envelopes) == 300
    assert len(worker.envelopes) < 300


def test_nothing_is_kept_of_answered_messages(gateway: Gateway, worker: FakeWorker) -> None:
    for _ in range(5):
        gateway.classify("hello", 5)
    assert len(gateway._running().registry) == 0


def test_an_error_is_the_message_s_own(gateway: Gateway, worker: FakeWorker) -> None:
    with ThreadPoolExecutor(8) as pool:
        good, bad = pool.submit(gateway.classify, "hello", 5), pool.submit(gateway.classify, "boom", 5)
        assert bad.result()["error"]["code"] == "model_failed"  # type: ignore[index]
        assert good.result()["label"] == "ham"  # type: ignore[index]


def test_no_worker_leaves_the_message_queued_and_its_result_is_found_later(
    gateway: Gateway, worker: FakeWorker
) -> None:
    worker.pause()
    with ThreadPoolExecutor(8) as pool:
        late = list(pool.map(lambda text: gateway.classify(text, 0.3), ["you win", "hello", "boom"]))
    assert all(isinstance(one, Queued) for one in late)
    ids = [one.id for one in late if isinstance(one, Queued)]
    assert [gateway.job(one).state for one in ids] == ["queued"] * 3
    assert len(gateway._running().registry) == 0
    worker.paused.clear()
    wait_for(lambda: all(gateway.job(one).finished for one in ids), "the answers", 5)
    assert [gateway.job(one).state for one in ids] == ["done", "done", "failed"]
    labels = [gateway.job_results(one, 0, 10).entries[0].get("label") for one in ids]
    assert labels == ["spam", "ham", None]


def test_the_id_of_a_neighbour_cannot_be_made_from_one_s_own(gateway: Gateway, worker: FakeWorker) -> None:
    worker.pause()
    pending = gateway.classify("hello", 0)
    assert isinstance(pending, Queued)
    envelope, token = pending.id.split(".")
    assert len(token) >= 20
    for guess in (envelope, f"{envelope}.0", f"{envelope}.{token[:-1]}"):
        with pytest.raises(NotFound):
            gateway.job(guess)


def test_a_lost_reply_is_found_in_the_store(gateway: Gateway, worker: FakeWorker) -> None:
    worker.replying = False
    entry = gateway.classify("you win", 0.5)
    assert not isinstance(entry, Queued)
    assert entry["label"] == "spam"


def test_a_waiter_beyond_an_unanswered_envelope_is_unhurt(gateway: Gateway, worker: FakeWorker) -> None:
    worker.replying = worker.storing = False
    assert isinstance(gateway.classify("lost", 0.2), Queued)
    worker.replying = worker.storing = True
    assert gateway.classify("found", 5)["label"] == "ham"  # type: ignore[index]


def test_the_queue_has_a_limit(lone: Callable[..., Gateway]) -> None:
    gateway = lone(max_queue_depth=5)
    for _ in range(5):
        gateway.classify("hello", 0)
    with pytest.raises(QueueFull) as full:
        gateway.classify("hello", 0)
    assert full.value.retry_after_s
    assert full.value.details == {"lane": "interactive", "waiting": 5, "limit": 5}
    assert gateway.submit_job(["bulk still has room"], "bulk").status.state == "queued"


def test_many_jobs_at_once_are_counted_before_they_are_published(lone: Callable[..., Gateway]) -> None:
    gateway = lone(max_queue_depth=1_000)

    def submit(_: int) -> int:
        try:
            return gateway.submit_job(["x"] * 400, "bulk").status.total
        except QueueFull:
            return 0

    with ThreadPoolExecutor(30) as pool:
        assert sum(pool.map(submit, range(30))) == 1_200


def test_a_refused_job_is_counted_no_more(lone: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = lone()

    def fail(*args: object, **options: object) -> str:
        raise BrokerUnavailable("gone")

    monkeypatch.setattr(Publisher, "publish", fail)
    with pytest.raises(BrokerUnavailable):
        gateway.submit_job(["x"] * 600, "bulk")
    with pytest.raises(BrokerUnavailable):
        gateway.classify("hello", 1)
    assert gateway.depth() == 0


def test_a_job_that_is_asked_for_twice_is_counted_once(lone: Callable[..., Gateway]) -> None:
    gateway = lone()
    for _ in range(2):
        gateway.submit_job(["x"] * 600, "bulk", idempotency=IdempotencyRecord("digest", "body"))
    assert gateway.depth("bulk") == 600
    assert gateway.depth("interactive") == 0


def test_a_job_runs_and_any_celery_client_can_restore_it(
    gateway: Gateway, worker: FakeWorker, celery_app: Celery
) -> None:
    texts = [f"win {i}" if i % 2 else f"text {i}" for i in range(600)]
    job_id = gateway.submit_job(texts, "bulk").status.id
    status = wait_for(lambda: (one := gateway.job(job_id)).finished and one, "the job", 10)
    assert (status.state, status.total, status.done, status.failed) == ("done", 600, 600, 0)  # type: ignore[attr-defined]
    page = gateway.job_results(job_id, 250, 20)
    assert [entry["id"] for entry in page.entries] == [str(i) for i in range(250, 270)]
    assert [entry["label"] for entry in page.entries] == [label_of(text) for text in texts[250:270]]
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
    assert len(gateway._running().registry) == 0


def test_a_job_whose_replies_are_lost_is_found_in_the_store(gateway: Gateway, worker: FakeWorker) -> None:
    worker.replying = False
    submission = gateway.submit_job(["you win"], "interactive", wait_s=0.5)
    assert submission.entries is not None
    assert submission.entries[0]["label"] == "spam"


def test_results_come_as_far_as_they_are_finished(gateway: Gateway, worker: FakeWorker) -> None:
    worker.pause()
    job_id = gateway.submit_job(["hello"] * 300, "bulk").status.id
    assert gateway.job(job_id).state == "queued"
    assert gateway.job_results(job_id, 0, 10).entries == []
    first = gateway._running().store.get(job_id).envelopes[0][0]
    worker._store({"id": first, "group": job_id}, [{"label": "ham"}] * 256)
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
    assert [(one["id"], one["error"]["code"]) for one in entries] == [("m255", "revoked"), ("m256", "revoked")]


def test_a_job_that_is_cancelled_while_it_runs_is_finished_from_then_on(gateway: Gateway, worker: FakeWorker) -> None:
    worker.pause()
    job_id = gateway.submit_job(["hello"] * 300, "bulk").status.id
    first = gateway._running().store.get(job_id).envelopes[0][0]
    name = worker._backend.get_key_for_task(first)
    worker._client.set(name, worker._backend.encode(worker._backend._get_result_meta(None, "STARTED", None, None)))
    cancelled = gateway.cancel(job_id)
    assert (cancelled.state, cancelled.done) == ("cancelled", 44)
    assert cancelled.finished_at is not None
    worker._store({"id": first, "group": job_id}, [{"label": "ham"}] * 256)
    later = gateway.job(job_id)
    assert (later.done, later.finished_at) == (300, cancelled.finished_at)


def test_an_envelope_that_was_given_up_says_so(gateway: Gateway, worker: FakeWorker) -> None:
    worker.pause()
    job_id = gateway.submit_job(["hello"] * 2, "bulk").status.id
    ((envelope, _),) = gateway._running().store.get(job_id).envelopes
    error = worker._backend.prepare_exception(TooManyDeliveries("given up"))
    meta = worker._backend._get_result_meta(error, "FAILURE", None, None)
    worker._client.set(worker._backend.get_key_for_task(envelope), worker._backend.encode(meta))
    errors = [one["error"] for one in gateway.job_results(job_id, 0, 2).entries]
    assert errors == [{"code": "too_many_deliveries", "message": "given up"}] * 2


def test_a_finished_job_cannot_be_cancelled(gateway: Gateway, worker: FakeWorker) -> None:
    job_id = gateway.submit_job(["hello"], "interactive", wait_s=5).status.id
    assert gateway.cancel(job_id).state == "done"


def test_cancelling_one_message_leaves_its_neighbours(gateway: Gateway, worker: FakeWorker) -> None:
    worker.pause()
    parts = gateway._running()
    publisher, gate = parts.dispatcher._publisher, threading.Event()
    publish = publisher.publish
    publisher.publish = lambda *args, **options: (gate.wait(5), publish(*args, **options))[1]  # type: ignore[method-assign]
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(gateway.classify, "first", 0)
        wait_for(lambda: parts.dispatcher.held() == 0 and len(parts.registry) == 1, "the first envelope", 5)
        others = [pool.submit(gateway.classify, "other", 0) for _ in range(2)]
        wait_for(lambda: parts.dispatcher.held() == 2, "the others to wait", 5)
        gate.set()
        first.result()
        one, two = (other.result().id for other in others)  # type: ignore[union-attr]
    assert one.split(".")[0] == two.split(".")[0]
    assert gateway.cancel(one).state == "cancelled"
    assert gateway.job(one).finished_at is not None
    worker.paused.clear()
    wait_for(lambda: gateway.job(two).finished, "the neighbour", 5)
    assert gateway.job(two).state == "done"
    assert gateway.job(one).state == "cancelled"
    assert gateway.job_results(one, 0, 1).entries[0]["error"]["code"] == "revoked"


def test_an_unknown_job_is_not_found(gateway: Gateway) -> None:
    with pytest.raises(NotFound):
        gateway.job("00000000-0000-0000-0000-000000000000")


def test_an_error_of_the_broker_reaches_the_envelope_s_callers_and_no_others(
    gateway: Gateway, worker: FakeWorker
) -> None:
    parts = gateway._running()
    publish = parts.dispatcher._publisher.publish

    def refuse(*args: object, **options: object) -> str:
        parts.dispatcher._publisher.publish = publish  # type: ignore[method-assign]
        raise BrokerUnavailable("away", retry_after_s=2)

    parts.dispatcher._publisher.publish = refuse  # type: ignore[method-assign]
    with pytest.raises(BrokerUnavailable):
        gateway.classify("unlucky", 5)
    assert gateway.classify("lucky", 5)["label"] == "ham"  # type: ignore[index]
    assert len(parts.registry) == 0


def test_a_job_that_is_published_by_half_leaves_nothing(
    gateway: Gateway, worker: FakeWorker, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.pause()
    before = set(store.scan_iter("sluice:*"))
    publish, sent = Publisher.publish, []

    def half(self: Publisher, *args: object, **options: object) -> str:
        if sent:
            raise BrokerUnavailable("away", retry_after_s=2)
        sent.append(options["envelope_id"])
        return publish(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Publisher, "publish", half)
    with pytest.raises(BrokerUnavailable):
        gateway.submit_job(["hello"] * 600, "bulk")
    assert set(store.scan_iter("sluice:*")) - before <= {keys.REVOKED.encode()}
    meta = store.get(f"celery-task-meta-{sent[0]}")
    assert meta is not None
    assert b"REVOKED" in meta


def test_release_lets_waiting_callers_go(lone: Callable[..., Gateway]) -> None:
    gateway = lone()
    with ThreadPoolExecutor(2) as pool:
        message = pool.submit(gateway.classify, "hello", 60)
        job = pool.submit(gateway.submit_job, ["hello"], "interactive", 60)
        wait_for(lambda: len(gateway._running().registry) == 2, "both to be published", 5)
        gateway.release_callers()
        assert isinstance(message.result(5), Queued)
        assert job.result(5).entries is None


def test_callers_are_let_go_early_though_the_broker_is_silent(
    lone: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = threading.Event()
    monkeypatch.setattr(ServiceMonitor, "_look_at_queues", lambda self: silent.wait(60))
    gateway = lone(web_threads=4)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(gateway.classify, "hello", 60) for _ in range(3)]
        assert all(isinstance(one.result(20), Queued) for one in waiting)
    silent.set()


def test_nothing_is_away(gateway: Gateway) -> None:
    assert gateway.reasons() == {"broker": None, "backend": None}


def test_a_missing_server_is_said_at_once() -> None:
    away = read(_env_file=None, broker_url="redis://127.0.0.1:1/0", state_dir="~/sluice-test")
    gateway = Gateway(away)
    try:
        with pytest.raises(BrokerUnavailable):
            gateway.classify("hello", 5)
        with pytest.raises(BackendUnavailable):
            gateway.submit_job(["hello"], "interactive")
        reasons = gateway.reasons()
        assert reasons["broker"]
        assert reasons["backend"]
    finally:
        gateway.close()


def test_workers_are_known(gateway: Gateway, worker: FakeWorker) -> None:
    assert [one.hostname for one in gateway.workers()] == ["fake@host"]


def test_the_same_key_with_the_same_body_is_the_same_job(gateway: Gateway, worker: FakeWorker) -> None:
    idempotency = IdempotencyRecord(uuid4().hex, "body")
    first = gateway.submit_job(["hello"], "interactive", idempotency=idempotency)
    second = gateway.submit_job(["hello"], "interactive", idempotency=idempotency)
    assert first.status.id == second.status.id
    third = gateway.submit_job(["hello"], "interactive", wait_s=2, idempotency=idempotency)
    assert third.entries is not None
    assert [one["label"] for one in third.entries] == ["ham"]
    with pytest.raises(Conflict):
        gateway.submit_job(["other"], "interactive", idempotency=IdempotencyRecord(idempotency.digest, "other body"))


def test_a_key_of_a_refused_job_can_be_used_again(
    gateway: Gateway, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    idempotency = IdempotencyRecord(uuid4().hex, "body")

    def refuse(self: Publisher, *args: object, **options: object) -> str:
        raise BrokerUnavailable("away", retry_after_s=2)

    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", refuse)
        with pytest.raises(BrokerUnavailable):
            gateway.submit_job(["hello"], "interactive", idempotency=idempotency)
    assert gateway.submit_job(["hello"], "interactive", wait_s=5, idempotency=idempotency).entries


def test_jobs_share_the_channel_of_the_one_before(
    gateway: Gateway, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquired: list[Publisher] = []
    acquire = Publisher._acquire

    def noted(self: Publisher) -> object:
        if self._producer is None:
            acquired.append(self)
        return acquire(self)

    assert gateway.submit_job(["hello"], "interactive", wait_s=5).entries
    monkeypatch.setattr(Publisher, "_acquire", noted)
    for _ in range(3):
        assert gateway.submit_job(["hello"], "interactive", wait_s=5).entries
    assert not acquired


def test_a_publisher_whose_block_fails_is_lent_again_with_a_new_channel(gateway: Gateway) -> None:
    publishers = PublisherPool(gateway._app, 1)
    with pytest.raises(ZeroDivisionError), publishers.acquire() as first:
        first.publish(["hello"])
        1 / 0  # noqa: B018
    assert first._producer is None
    with publishers.acquire() as second:
        assert second is first
    publishers.close()


def test_who_waits_too_long_for_a_publisher_is_told(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.web.gateway.publisher_pool.WAIT_S", 0.05)
    publishers = PublisherPool(gateway._app, 1)
    with publishers.acquire(), pytest.raises(BrokerUnavailable, match="too many jobs"), publishers.acquire():
        pass


def test_a_forked_process_gets_threads_of_its_own(lone: Callable[..., Gateway]) -> None:
    gateway = lone()
    mine = gateway._running()
    mine.pid = -1  # as after a fork
    assert gateway._running() is not mine
    mine.stop()


def test_a_job_left_half_way_by_a_dead_process_is_published_by_the_next_try(
    gateway: Gateway, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    idempotency = IdempotencyRecord(uuid4().hex, "body")
    with monkeypatch.context() as patch:
        patch.setattr(JobService, "_publish", lambda *args, **options: None)
        job_id = gateway.submit_job(["hello"], "interactive", idempotency=idempotency).status.id
    monkeypatch.setattr("sluice.web.gateway.job_service.AGAIN_WAIT_S", 0.2)
    with pytest.raises(BrokerUnavailable) as early:
        gateway.submit_job(["hello"], "interactive", wait_s=0.2, idempotency=idempotency)
    assert early.value.retry_after_s
    monkeypatch.setattr("sluice.web.gateway.job_service.PUBLISHING_TAKES_S", 0)
    submission = gateway.submit_job(["hello"], "interactive", wait_s=5, idempotency=idempotency)
    assert submission.status.id == job_id
    assert submission.entries is not None


def test_a_try_that_comes_while_the_first_is_publishing_waits_for_it(
    gateway: Gateway, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    idempotency, publishing, gate = IdempotencyRecord(uuid4().hex, "body"), threading.Event(), threading.Event()
    publish = Publisher.publish

    def slow(self: Publisher, *args: object, **options: object) -> str:
        publishing.set()
        gate.wait(5)
        return publish(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Publisher, "publish", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(gateway.submit_job, ["hello"], "interactive", 0, idempotency)
        assert publishing.wait(5)
        second = pool.submit(gateway.submit_job, ["hello"], "interactive", 0, idempotency)
        with pytest.raises(TimeoutError):
            second.result(0.2)
        gate.set()
        assert first.result(5).status.id == second.result(5).status.id


def test_a_job_that_cannot_be_marked_as_published_is_accepted(
    gateway: Gateway, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    idempotency = IdempotencyRecord(uuid4().hex, "body")
    monkeypatch.setattr(JobStore, "mark_published", away)
    submission = gateway.submit_job(["hello"], "interactive", wait_s=5, idempotency=idempotency)
    assert submission.entries is not None
    again = gateway.submit_job(["hello"], "interactive", wait_s=5, idempotency=idempotency)
    assert again.status.id == submission.status.id


def test_workers_hear_of_a_refused_job_while_the_backend_is_away(
    gateway: Gateway, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    discarded: list[str] = []
    jobs = gateway._running().jobs
    monkeypatch.setattr(jobs, "_tell", told.extend)
    monkeypatch.setattr(JobStore, "store_revoked", away)
    monkeypatch.setattr(JobStore, "discard", lambda self, job, *args: discarded.append(job.id))
    monkeypatch.setattr(Publisher, "publish", away)
    with pytest.raises(BackendUnavailable):
        gateway.submit_job(["hello"] * 300, "bulk")
    assert len(told) == 2
    assert len(discarded) == 1


def test_a_cancellation_that_failed_half_way_can_be_repeated(
    gateway: Gateway, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.pause()
    job_id = gateway.submit_job(["hello"] * 300, "bulk").status.id
    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "store_revoked", away)
        with pytest.raises(BackendUnavailable):
            gateway.cancel(job_id)
    status = gateway.cancel(job_id)
    assert (status.state, status.done) == ("cancelled", 300)


def away(*args: object, **options: object) -> str:
    raise BackendUnavailable("away", retry_after_s=2)


def test_every_thread_may_give_up_at_the_same_moment(lone: Callable[..., Gateway]) -> None:
    gateway = lone()
    with ThreadPoolExecutor(200) as pool:
        late = list(pool.map(lambda index: gateway.classify(f"text {index}", 0.5), range(200)))
    assert all(isinstance(one, Queued) for one in late)
    assert len(gateway._running().overload_guard._since) == 0


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
    gateway: Gateway, worker: FakeWorker, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = uuid4().hex
    ids = [gateway.submit_job(["you win"], "bulk", owner=owner).status.id for _ in range(6)]
    store.delete(*[keys.job(one) for one in ids[1:5]])
    assert [status.id for _, status in gateway.jobs(owner, None, 2)] == [ids[5], ids[0]]
    assert store.zcard(keys.jobs(owner)) == 2
    assert 0 < store.ttl(keys.jobs(owner)) <= 600

    def fail(*args: object, **options: object) -> str:
        raise BrokerUnavailable("gone")

    monkeypatch.setattr(Publisher, "publish", fail)
    with pytest.raises(BrokerUnavailable):
        gateway.submit_job(["x"], "bulk", owner=owner)
    assert len(gateway.jobs(owner, None, 10)) == 2


def test_a_list_holds_so_many_jobs(gateway: Gateway, worker: FakeWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.web.gateway.job_store.MOST_LISTED", 3)
    owner = uuid4().hex
    ids = [gateway.submit_job(["you win"], "bulk", owner=owner).status.id for _ in range(5)]
    assert [status.id for _, status in gateway.jobs(owner, None, 10)] == ids[:1:-1]
