"""What happens when a worker, the broker or the result store goes away: nothing is lost, each result appears once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from celery.result import AsyncResult
from kombu import Connection

from sluice.harness.broker import held, sweep, waiting
from sluice.harness.process import ROOT, rises, wait_for
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.worker import Worker, client_app, environment
from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.errors import BrokerUnavailable
from sluice.tasks.publisher import Publisher
from sluice.worker.delivery.quarantine import MOST_ENDS
from tests.conftest import Brokers, drop_queues
from tests.integration.test_shutdown import HOLD, check_answers, drained, finished, holding, in_the_model

StartWorker = Callable[..., Worker]
WAIT_S = 40


# The worker goes


def test_what_a_killed_worker_had_is_done_by_the_next(brokers: Brokers, start_worker: StartWorker) -> None:
    more = {"max_batch_size": 4, "visibility_timeout_s": 4}
    app = client_app(brokers.env(**more))
    first = start_worker(brokers.env(**more, model=holding(60_000))).ready()
    results = [app.tasks[TASK_NAME].apply_async((f"{HOLD} {i}",), queue=QUEUES["interactive"]) for i in range(12)]
    results += [app.tasks[TASK_NAME].apply_async((["in", "bulk", str(i)],), queue=QUEUES["bulk"]) for i in range(5)]
    wait_for(lambda: in_the_model(app, first), "a batch in the model")
    wait_for(lambda: waiting(brokers.broker.url) == 0, "all of them taken")
    first.kill()

    second = start_worker(brokers.env(**more)).ready()
    wait_for(lambda: finished(results) == len(results), "all results", WAIT_S)
    check_answers(results)
    wait_for(lambda: second.stop() == 0, "its end")
    assert drained(second) == (12 + 15, 17)
    assert waiting(brokers.broker.url) == 0


def test_a_worker_keeps_what_it_holds_beyond_the_visibility_timeout(
    redis_server: RedisServer, start_worker: StartWorker
) -> None:
    more = {"max_batch_size": 2, "visibility_timeout_s": 4, "model": holding(7_000)}
    env = environment(redis_server.url, redis_server.url, **more)
    app = client_app(env)
    worker = start_worker(env).ready()
    results = [app.tasks[TASK_NAME].delay(HOLD), app.tasks[TASK_NAME].delay("behind it")]
    results += [app.tasks[TASK_NAME].apply_async((f"bulk {i}",), queue=QUEUES["bulk"]) for i in range(3)]
    wait_for(lambda: held(redis_server.url) == len(results), "all of them taken")

    def done_and_never_back() -> bool:
        sweep(app)  # as another worker would, every few seconds
        assert waiting(redis_server.url) == 0
        return finished(results) == len(results)

    wait_for(done_and_never_back, "all results", WAIT_S, every_s=0.2)
    assert worker.stop() == 0
    assert drained(worker) == (5, 5)


def test_a_dead_thread_stops_the_process_with_its_reason(brokers: Brokers, start_worker: StartWorker) -> None:
    worker = start_worker(brokers.env(model="simulated:?fatal=FATAL")).ready()
    app = client_app(brokers.env())
    result = app.tasks[TASK_NAME].delay("this is FATAL")
    assert worker.wait(30) == 70, worker.output()
    assert "stopping the worker: thread sluice-model died: SimulatedDeviceLost" in worker.output()
    assert waiting(brokers.broker.url) == 1
    second = start_worker(brokers.env()).ready()
    check_answers([result])
    assert second.stop() == 0


def over(worker: Worker, result: AsyncResult) -> bool:
    """Whether the worker has ended, or the result is there."""
    return worker.returncode is not None or result.ready()


def test_an_envelope_that_kills_its_workers_is_given_up_and_no_other(
    brokers: Brokers, start_worker: StartWorker
) -> None:
    app = client_app(brokers.env())
    classify = app.tasks[TASK_NAME].delay
    others = [classify(f"before {i}") for i in range(3)]
    deadly = classify(["a", "FATAL", "b"])
    others += [classify(f"after {i}") for i in range(3)]
    others.append(app.tasks[TASK_NAME].apply_async((["in", "bulk"],), queue=QUEUES["bulk"]))
    starts = 0

    while not deadly.ready():
        starts += 1
        assert starts < 10
        worker = start_worker(brokers.env(model="simulated:?fatal=FATAL")).ready()
        wait_for(partial(over, worker, deadly), "an end")
    check_answers(others)
    assert worker.stop() == 0
    codes = [entry["error"]["code"] if "error" in entry else "" for entry in deadly.result]
    assert codes == ["", "too_many_deliveries", ""]
    assert waiting(brokers.broker.url) == 0


def test_envelopes_whose_workers_are_killed_from_outside_are_not_given_up(
    brokers: Brokers, start_worker: StartWorker
) -> None:
    """Each worker is killed with a batch of theirs in the model, more often than any message is tried."""
    more = {"max_batch_size": 4, "visibility_timeout_s": 4}
    app = client_app(brokers.env(**more))
    holder = brokers.env(**more, model=holding(60_000))
    worker = start_worker(holder).ready()
    results = [app.tasks[TASK_NAME].delay([f"{HOLD} {i}", "beside it", "and it"]) for i in range(4)]
    for _ in range(MOST_ENDS + 2):
        wait_for(partial(in_the_model, app, worker), "a batch in the model", WAIT_S)
        worker.kill()
        worker = start_worker(holder).ready()
    worker.kill()
    worker = start_worker(brokers.env(**more)).ready()
    wait_for(lambda: finished(results) == len(results), "all results", WAIT_S)
    check_answers(results)
    assert worker.stop() == 0
    assert waiting(brokers.broker.url) == 0


def test_a_redelivered_envelope_with_a_stored_result_does_not_run_again(
    brokers: Brokers, start_worker: StartWorker
) -> None:
    env = brokers.env()
    app = client_app(env)
    worker = start_worker(env).ready()
    result = app.tasks[TASK_NAME].delay("only once")
    stored = result.get(timeout=WAIT_S)
    assert worker.stop() == 0
    with Publisher(app) as publisher:
        publisher.publish(["only once"], envelope_id=result.id)
    redeliver(brokers.broker.url)
    worker = start_worker(env).ready()
    wait_for(lambda: waiting(brokers.broker.url) == 0, "the envelope taken")
    assert worker.stop() == 0
    assert drained(worker) == (0, 0)
    assert waiting(brokers.broker.url) == 0
    assert AsyncResult(result.id, app=app).result == stored


def redeliver(url: str) -> None:
    """Take the waiting envelope and give it back, as the broker does for a consumer that went away."""
    with Connection(url) as connection:
        channel = connection.channel()
        message: Any = wait_for(lambda: channel.basic_get(QUEUES["interactive"]), "the envelope")
        channel.basic_reject(message.delivery_tag, requeue=True)


# The broker goes


class Stream(threading.Thread):
    """A client that sends without pause, on both lanes, and tries again what the broker did not take."""

    def __init__(self, app: Celery) -> None:
        super().__init__(daemon=True)
        self._app = app
        self._stopping = threading.Event()
        self.sent: list[str] = []
        self.refused = 0

    def run(self) -> None:
        with Publisher(self._app) as publisher:
            while not self._stopping.wait(0.01):
                self._send(publisher, str(uuid4()), list(QUEUES)[len(self.sent) % 2])

    def _send(self, publisher: Publisher, envelope_id: str, lane: str) -> None:
        while True:
            try:
                publisher.publish(["one", "two"], envelope_id=envelope_id, lane=lane)
            except BrokerUnavailable:
                self.refused += 1
                continue
            self.sent.append(envelope_id)
            return

    def stop(self) -> list[AsyncResult]:
        self._stopping.set()
        self.join(30)
        assert not self.is_alive()
        return [AsyncResult(one, app=self._app) for one in self.sent]


def test_a_worker_survives_restarts_of_its_broker(
    own_broker: RedisServer | RabbitServer, redis_server: RedisServer, start_worker: StartWorker
) -> None:
    """One orderly restart and one ``kill -9``, each in the middle of a stream."""
    model = "simulated:?batch_ms=20&message_us=0"
    env = environment(own_broker.url, redis_server.url, max_batch_size=8, visibility_timeout_s=4, model=model)
    app = client_app(env)
    worker = start_worker(env).ready()
    stream = Stream(app)
    stream.start()
    for end in (own_broker.stop, own_broker.kill):
        wait_for(rises(lambda: len(stream.sent), 50), "a stream")
        end()
        wait_for(rises(lambda: stream.refused), "a refusal")
        own_broker.start()
    before = len(stream.sent)
    wait_for(lambda: len(stream.sent) > before + 50, "a stream")
    results = stream.stop()
    wait_for(lambda: finished(results) == len(results), "all results", WAIT_S, every_s=0.5)
    late = [app.tasks[TASK_NAME].apply_async(("after it all",), queue=queue) for queue in QUEUES.values()]
    check_answers(late)
    wait_for(lambda: waiting(own_broker.url) == 0, "all taken")
    if isinstance(own_broker, RedisServer):
        wait_for(lambda: held(own_broker.url) == 0, "all acknowledged")
    assert worker.stop() == 0, worker.output()[-3000:]
    assert waiting(own_broker.url) == 0


def test_nothing_is_acknowledged_while_the_result_store_is_away(
    brokers: Brokers, own_redis: RedisServer, start_worker: StartWorker
) -> None:
    env = environment(brokers.broker.url, own_redis.url, max_batch_size=4)
    app = client_app(env)
    worker = start_worker(env).ready()
    check_answers([app.tasks[TASK_NAME].delay("before")])
    own_redis.kill()
    results = [app.tasks[TASK_NAME].apply_async((["a", "b", "c"],), queue=q) for q in QUEUES.values() for _ in range(8)]
    worker.wait_for_output("cannot be reached (connection refused)")
    own_redis.start()
    wait_for(lambda: finished(results) == len(results), "all results", WAIT_S)
    check_answers(results)
    assert worker.stop() == 0
    assert drained(worker) == (1 + 3 * 16, 17)
    assert waiting(brokers.broker.url) == 0


# The start fails


def refuses(env: dict[str, str], *options: str) -> tuple[int, str]:
    """Exit status and output of a worker that does not start."""
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-l", "info", *options]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=60)
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    return done.returncode, output


def test_a_missing_model_is_one_clear_line_and_takes_no_message(brokers: Brokers) -> None:
    env = brokers.env(model="/no/such/folder")
    app = client_app(brokers.env())
    before = waiting(brokers.broker.url)
    result = app.tasks[TASK_NAME].delay("text")
    status, output = refuses(env)
    assert status == 78
    assert sum("SLUICE_MODEL" in line for line in output.splitlines()) == 1
    assert waiting(brokers.broker.url) == before + 1
    assert result.state == "PENDING"
    app.control.purge()


def test_another_pool_is_refused(redis_server: RedisServer) -> None:
    env = environment(redis_server.url, redis_server.url)
    status, output = refuses(env, "-P", "threads")
    assert status == 78
    assert "Celery's pool must be solo" in output


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"broker_url": "memory://"}, "SLUICE_BROKER_URL"),
        ({"broker_url": "sqs://key:secret@"}, "SLUICE_BROKER_URL"),
        ({"result_backend": "db+sqlite:///x"}, "SLUICE_RESULT_BACKEND"),
        ({"max_batch_size": "0"}, "SLUICE_MAX_BATCH_SIZE"),
        ({"batching": "always"}, "SLUICE_BATCHING"),
    ],
)
def test_a_wrong_setting_is_one_clear_line(settings: dict[str, str], says: str) -> None:
    env = {f"SLUICE_{name.upper()}": value for name, value in settings.items()}
    status, output = refuses(env)
    assert status not in (0, None)
    lines = output.strip().splitlines()
    assert len(lines) == 1, output
    assert lines[0].startswith(f"sluice: {says}")
    assert "secret" not in output


def test_classic_queues_work_and_the_wrong_type_is_told(
    rabbit_server: RabbitServer, redis_server: RedisServer, start_worker: StartWorker
) -> None:
    drop_queues(rabbit_server.url)
    classic = environment(rabbit_server.url, redis_server.url, queue_type="classic")
    worker = start_worker(classic).ready()
    app = client_app(classic)
    check_answers([app.tasks[TASK_NAME].apply_async(("text",), queue=queue) for queue in QUEUES.values()])
    delayed = app.tasks[TASK_NAME].apply_async(("later",), countdown=1)
    check_answers([delayed])
    assert worker.stop() == 0
    status, output = refuses(environment(rabbit_server.url, redis_server.url, queue_type="quorum"))
    drop_queues(rabbit_server.url)
    assert status == 78
    assert "SLUICE_QUEUE_TYPE" in output
