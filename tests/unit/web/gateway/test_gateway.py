"""One message at a time, and the gateway as a whole, on a real Redis against a worker without a model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sluice.config.settings import read
from sluice.harness.process import wait_for
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable, NotFound, QueueFull
from sluice.tasks.queues import QueueCounter
from sluice.tasks.replies import ReplyListener
from sluice.tasks.wire.entry import Entry, fault_of, prediction_of
from sluice.web.gateway import Gateway, Ports, Queued
from sluice.web.gateway.job_store import IdempotencyRecord
from tests.unit.web.fake_worker import FakeWorker, label_of
from tests.unit.web.gateway.ports import Options, refusing, watched


def label(entry: Entry | Queued) -> str:
    assert not isinstance(entry, Queued)
    return prediction_of(entry)["label"]


def code(entry: Entry | Queued) -> str:
    assert not isinstance(entry, Queued)
    return fault_of(entry)["code"]


def test_a_message_gets_its_own_answer(gateway: Gateway, worker: FakeWorker) -> None:
    entry = gateway.classify("you win", 5)
    assert not isinstance(entry, Queued)
    entry = prediction_of(entry)
    assert (entry["label"], entry["probability"], entry["model"]) == ("spam", 0.875, "fake")


def test_many_at_once_share_envelopes_and_get_their_own_answers(gateway: Gateway, worker: FakeWorker) -> None:
    texts = [f"win {i}" if i % 3 == 0 else f"text {i}" for i in range(300)]
    with ThreadPoolExecutor(64) as pool:
        entries = list(pool.map(lambda text: gateway.classify(text, 10), texts))
    assert [label(entry) for entry in entries] == [label_of(text) for text in texts]
    assert sum(worker.envelopes) == 300
    assert len(worker.envelopes) < 300


def test_nothing_is_kept_of_answered_messages(gateway: Gateway, worker: FakeWorker) -> None:
    for _ in range(5):
        gateway.classify("hello", 5)
    assert gateway.waiting().envelopes == 0


def test_an_error_is_the_message_s_own(gateway: Gateway, worker: FakeWorker) -> None:
    with ThreadPoolExecutor(8) as pool:
        good, bad = pool.submit(gateway.classify, "hello", 5), pool.submit(gateway.classify, "boom", 5)
        assert code(bad.result()) == "model_failed"
        assert label(good.result()) == "ham"


def test_no_worker_leaves_the_message_queued_and_its_result_is_found_later(
    gateway: Gateway, worker: FakeWorker
) -> None:
    worker.pause()
    with ThreadPoolExecutor(8) as pool:
        late = list(pool.map(lambda text: gateway.classify(text, 0.3), ["you win", "hello", "boom"]))
    assert all(isinstance(one, Queued) for one in late)
    ids = [one.id for one in late if isinstance(one, Queued)]
    assert [gateway.job(one).state for one in ids] == ["queued"] * 3
    assert gateway.waiting().envelopes == 0
    worker.paused.clear()
    wait_for(lambda: all(gateway.job(one).finished for one in ids), "the answers", 5)
    assert [gateway.job(one).state for one in ids] == ["done", "done", "failed"]
    labels = [gateway.job_results(one, 0, 10).entries[0].get("label") for one in ids]
    assert labels == ["spam", "ham", None]


def test_who_does_not_wait_gets_an_id_however_quick_the_answer_is(gateway: Gateway, worker: FakeWorker) -> None:
    with ThreadPoolExecutor(64) as pool:
        given = list(pool.map(lambda text: gateway.classify(text, 0), [f"text {i}" for i in range(600)]))
    assert all(isinstance(one, Queued) for one in given)
    ids = [one.id for one in given if isinstance(one, Queued)]
    wait_for(lambda: all(gateway.job(one).finished for one in ids), "the answers", 5)
    assert gateway.job_results(ids[-1], 0, 10).entries[0].get("label") == "ham"


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
    assert label(entry) == "spam"


def test_a_waiter_beyond_an_unanswered_envelope_is_unhurt(gateway: Gateway, worker: FakeWorker) -> None:
    worker.replying = worker.storing = False
    assert isinstance(gateway.classify("lost", 0.2), Queued)
    worker.replying = worker.storing = True
    assert label(gateway.classify("found", 5)) == "ham"


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


def test_a_refused_job_is_counted_no_more(lone: Callable[..., Gateway]) -> None:
    gateway = lone(ports=Ports(publisher=refusing(BrokerUnavailable("gone"))))
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


def test_cancelling_one_message_leaves_its_neighbours(gateway_with: Callable[..., Gateway], worker: FakeWorker) -> None:
    worker.pause()
    gate = threading.Event()
    gateway = gateway_with(publisher=watched(lambda options: gate.wait(5)))
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(gateway.classify, "first", 0)
        wait_for(lambda: gateway.waiting().messages == 0 and gateway.waiting().envelopes == 1, "the first envelope", 5)
        others = [pool.submit(gateway.classify, "other", 0) for _ in range(2)]
        wait_for(lambda: gateway.waiting().messages == 2, "the others to wait", 5)
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
    assert code(gateway.job_results(one, 0, 1).entries[0]) == "revoked"


def test_an_error_of_the_broker_reaches_the_envelope_s_callers_and_no_others(
    gateway_with: Callable[..., Gateway], worker: FakeWorker
) -> None:
    errors: list[Exception] = [BrokerUnavailable("away", retry_after_s=2)]

    def refuse_once(options: Options) -> None:
        if errors:
            raise errors.pop()

    gateway = gateway_with(publisher=watched(refuse_once))
    with pytest.raises(BrokerUnavailable):
        gateway.classify("unlucky", 5)
    assert label(gateway.classify("lucky", 5)) == "ham"
    assert gateway.waiting().envelopes == 0


def test_release_lets_waiting_callers_go(lone: Callable[..., Gateway]) -> None:
    gateway = lone()
    with ThreadPoolExecutor(2) as pool:
        message = pool.submit(gateway.classify, "hello", 60)
        job = pool.submit(gateway.submit_job, ["hello"], "interactive", 60)
        wait_for(lambda: gateway.waiting().envelopes == 2, "both to be published", 5)
        gateway.release_callers()
        assert isinstance(message.result(5), Queued)
        assert job.result(5).entries is None


class SilentQueues(QueueCounter):
    """Looks at a broker that says nothing until ``over``."""

    over = threading.Event()

    def waiting(self, queue: str) -> int:
        self.over.wait(60)
        return 0


def test_callers_are_let_go_early_though_the_broker_is_silent(lone: Callable[..., Gateway]) -> None:
    gateway = lone(ports=Ports(queues=SilentQueues), web_threads=4)
    together = threading.Barrier(3)  # once one is let go, those who came much later may stay

    def call() -> Entry | Queued:
        together.wait(20)
        return gateway.classify("hello", 60)

    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(call) for _ in range(3)]
        assert all(isinstance(one.result(20), Queued) for one in waiting)
    SilentQueues.over.set()


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


def test_a_forked_process_gets_threads_of_its_own(lone: Callable[..., Gateway]) -> None:
    pids, made = [1], []

    def replies(*args: Any) -> ReplyListener:
        made.append(ReplyListener(*args))
        return made[-1]

    gateway = lone(ports=Ports(replies=replies, pid=lambda: pids[-1]))
    gateway.start()
    gateway.start()
    assert len(made) == 1
    pids.append(2)  # as after a fork
    gateway.start()
    assert len(made) == 2
    made[0].stop()


def test_every_thread_may_give_up_at_the_same_moment(lone: Callable[..., Gateway]) -> None:
    gateway = lone()
    with ThreadPoolExecutor(200) as pool:
        late = list(pool.map(lambda index: gateway.classify(f"text {index}", 0.5), range(200)))
    assert all(isinstance(one, Queued) for one in late)
    assert gateway.waiting().callers == 0
