"""How a worker ends: nothing is lost, nothing runs twice, and it never takes long."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery
from celery.result import AsyncResult

from sluice.harness.broker import held, waiting
from sluice.harness.process import wait_for
from sluice.harness.servers import RedisServer
from sluice.harness.worker import Worker, client_app, environment
from sluice.tasks.envelope import QUEUES, TASK_NAME
from tests.conftest import Brokers

DRAINED = re.compile(r"drained: (\d+) messages in (\d+) batches, (\d+) envelopes done")
WAIT_S = 30

#: A batch with this word in it takes so long that a test can act while it is in the model.
HOLD = "HOLD"


def holding(slow_ms: int, batch_ms: int = 3) -> str:
    return f"simulated:?batch_ms={batch_ms}&message_us=0&slow={HOLD}&slow_ms={slow_ms}"


StartWorker = Callable[..., Worker]


def drained(worker: Worker) -> tuple[int, int]:
    """Messages that were in the model and envelopes done, as the worker says at its end."""
    found = DRAINED.search(worker.output())
    assert found, worker.output()
    return int(found[1]), int(found[3])


def submit(app: Celery) -> tuple[list[AsyncResult], int]:
    """One-message tasks and envelopes of many, on both lanes; returns them and how many messages they hold."""
    task = app.tasks[TASK_NAME]
    results, messages = [], 0
    for number in range(12):
        for queue in QUEUES.values():
            results.append(task.apply_async((f"one {queue} {number}",), queue=queue))
            results.append(task.apply_async(([f"{i} of {queue} {number}" for i in range(5)],), queue=queue))
            messages += 6
    return results, messages


def finished(results: list[AsyncResult]) -> int:
    return sum(result.state == "SUCCESS" for result in results)


def check_answers(results: list[AsyncResult]) -> None:
    for result in results:
        answer = result.get(timeout=WAIT_S)
        for entry in answer if isinstance(answer, list) else [answer]:
            assert "label" in entry


def in_the_model(app: Celery, worker: Worker) -> list[dict[str, Any]]:
    return app.control.inspect([worker.hostname], timeout=5).active()[worker.hostname]


def test_a_warm_shutdown_loses_and_repeats_nothing(brokers: Brokers, start_worker: StartWorker) -> None:
    env = brokers.env(max_batch_size=8, model="simulated:?batch_ms=60&message_us=0")
    app = client_app(env)
    first = start_worker(env).ready()
    results, messages = submit(app)
    wait_for(lambda: finished(results) >= 2, "the first results")
    assert first.stop() == 0, first.output()
    done = finished(results)
    assert 2 <= done < len(results)
    assert drained(first)[1] == done
    assert waiting(brokers.broker.url) == len(results) - done
    if brokers.kind == "redis":
        assert held(brokers.broker.url) == 0

    second = start_worker(env).ready()
    check_answers(results)
    assert second.stop() == 0
    assert drained(first)[0] + drained(second)[0] == messages
    assert drained(first)[1] + drained(second)[1] == len(results)
    assert waiting(brokers.broker.url) == 0


@pytest.mark.parametrize("first_signal", [None, signal.SIGINT, signal.SIGTERM], ids=["alone", "SIGINT", "SIGTERM"])
def test_a_cold_shutdown_ends_at_once_and_loses_nothing(
    brokers: Brokers, start_worker: StartWorker, first_signal: signal.Signals | None
) -> None:
    """SIGQUIT, or a second Ctrl-C: what is in the model goes back to the broker, and runs again elsewhere."""
    app = client_app(brokers.env())
    first = start_worker(brokers.env(max_batch_size=4, model=holding(60_000)), level="debug").ready()
    results = [app.tasks[TASK_NAME].delay(f"{HOLD} {i}") for i in range(10)]
    wait_for(lambda: in_the_model(app, first), "a batch in the model")
    if first_signal:
        first.send(first_signal)
        first.wait_for_output("Stopping Sluice")  # it waits for the model now
    first.send(signal.SIGINT if first_signal == signal.SIGINT else signal.SIGQUIT)
    first.wait(timeout_s=20)
    assert "Traceback" not in first.output()
    assert waiting(brokers.broker.url) == len(results)

    second = start_worker(brokers.env()).ready()
    check_answers(results)
    assert second.stop() == 0
    assert waiting(brokers.broker.url) == 0


def test_a_second_sigterm_changes_nothing(brokers: Brokers, start_worker: StartWorker) -> None:
    env = brokers.env(max_batch_size=4, model=holding(1000))
    app = client_app(env)
    worker = start_worker(env).ready()
    result = app.tasks[TASK_NAME].delay(HOLD)
    wait_for(lambda: in_the_model(app, worker), "a batch in the model")
    worker.send(signal.SIGTERM)
    worker.wait_for_output("Warm shutdown")
    worker.send(signal.SIGTERM)
    assert worker.wait(20) == 0, worker.output()
    assert result.state == "SUCCESS"


def test_an_idle_worker_ends_at_once(brokers: Brokers, start_worker: StartWorker) -> None:
    worker = start_worker(brokers.env()).ready()
    assert worker.stop(timeout_s=10) == 0
    assert drained(worker) == (0, 0)
    assert "Traceback" not in worker.output()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_worker_that_loads_its_model_can_be_stopped(
    redis_server: RedisServer, start_worker: StartWorker, number: signal.Signals
) -> None:
    env = environment(redis_server.url, redis_server.url, model="simulated:?load_ms=60000")
    worker = start_worker(env, level="debug")
    worker.wait_for_output("Starting Sluice")
    worker.send(number)
    status = worker.wait(timeout_s=20)
    assert (status == 0) == (number == signal.SIGTERM)
    assert "Traceback" not in worker.output()
    assert "ready." not in worker.output()


def test_ctrl_c_finishes_an_envelope_that_the_model_has_begun(brokers: Brokers, start_worker: StartWorker) -> None:
    """It is larger than a batch; its later batches still run, those of others do not."""
    env = brokers.env(max_batch_size=4, model=holding(150))
    app = client_app(env)
    worker = start_worker(env).ready()
    large = app.tasks[TASK_NAME].delay([f"{HOLD} {i}" for i in range(20)])
    others = [app.tasks[TASK_NAME].delay(f"other {i}") for i in range(8)]
    wait_for(lambda: in_the_model(app, worker), "a batch in the model")
    assert worker.stop(signal.SIGINT) == 1  # Celery's status after Ctrl-C
    assert len(large.result) == 20
    assert waiting(brokers.broker.url) == len(others) - finished(others)
    second = start_worker(env).ready()
    check_answers(others)
    assert second.stop() == 0
    assert drained(worker)[0] + drained(second)[0] == 28
