"""The two lanes of a real worker on both brokers: a backfill holds nobody up, and is not held up for ever."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery

from sluice.config.settings import read
from sluice.harness.process import wait_for
from sluice.harness.worker import Worker
from sluice.tasks.client import Client
from sluice.tasks.envelope import QUEUES, TASK_NAME
from tests.conftest import Brokers
from tests.integration.test_shutdown import HOLD, in_the_model

WAIT_S = 30
BATCH = 16
serial = count()


@pytest.fixture(scope="module")
def env(brokers: Brokers) -> dict[str, str]:
    return brokers.env(max_batch_size=BATCH, model=f"simulated:?batch_ms=3&message_us=0&slow={HOLD}&slow_ms=1500")


@pytest.fixture
def client(env: dict[str, str], worker: Worker) -> Iterator[Client]:
    names: dict[str, Any] = {name.removeprefix("SLUICE_").lower(): value for name, value in env.items()}
    with Client(read(**names)) as client:
        yield client


def send(client: Client, lane: str, messages: int, *first: str) -> str:
    """Send one envelope of texts that are like no other; returns its id."""
    texts = [*first, *(f"text {next(serial)} of many" for _ in range(messages - len(first)))]
    client.publish(texts, lane=lane, envelope_id=(name := uuid4().hex))
    return name


def test_an_interactive_message_overtakes_a_backfill_at_the_broker_and_in_the_worker(
    client: Client, app: Celery, worker: Worker
) -> None:
    held = send(client, "bulk", BATCH, HOLD)
    wait_for(lambda: in_the_model(app, worker), "a batch in the model")
    for _ in range(100):
        send(client, "bulk", 4 * BATCH)
    urgent = send(client, "interactive", 1)
    order: list[str] = []
    while len(order) < BATCH + 100 * 4 * BATCH + 1:
        replies = client.replies(WAIT_S)
        assert replies, "nothing is answered any more"
        order += [name for name, answers in replies for _ in answers]
    assert order[:BATCH] == [held] * BATCH
    # Before it are those of its own batch, and of one more if the held one ended before it came.
    assert order.index(urgent) <= 3 * BATCH


def test_a_backfill_moves_on_beside_interactive_messages_that_never_pause(client: Client) -> None:
    urgent = {send(client, "interactive", BATCH) for _ in range(40)}
    bulk = {send(client, "bulk", 2 * BATCH): 2 * BATCH for _ in range(4)}
    missing = dict.fromkeys(urgent, BATCH)
    refills = 0
    while bulk:
        replies = client.replies(WAIT_S)
        assert replies, "nothing is answered any more"
        for name, answers in replies:
            lane = bulk if name in bulk else missing
            lane[name] -= len(answers)
            if not lane[name]:
                del lane[name]
                if lane is missing:
                    missing[send(client, "interactive", BATCH)] = BATCH
                    refills += 1
        assert missing, "interactive messages paused"
    assert refills
    while missing:
        for name, answers in client.replies(WAIT_S):
            missing[name] -= len(answers)
            if not missing[name]:
                del missing[name]


def test_the_bulk_queue_can_be_left_and_taken_up_again(client: Client, app: Celery, worker: Worker) -> None:
    def consumed() -> set[str]:
        found: Any = app.control.inspect([worker.hostname], timeout=5).active_queues()
        return {queue["name"] for queue in found[worker.hostname]}

    app.control.cancel_consumer(QUEUES["bulk"], destination=[worker.hostname], reply=True, timeout=5)
    wait_for(lambda: consumed() == {QUEUES["interactive"]}, "the bulk queue left")
    left = [send(client, "bulk", 1) for _ in range(20)]
    assert "label" in app.tasks[TASK_NAME].delay("still served").get(timeout=WAIT_S)
    wait_for(lambda: client.waiting("bulk") >= 18, "envelopes that stay with the broker")
    app.control.add_consumer(QUEUES["bulk"], destination=[worker.hostname], reply=True, timeout=5)
    wait_for(lambda: consumed() == set(QUEUES.values()), "the bulk queue taken up")
    answered: set[str] = set()
    while answered != set(left):
        answered |= {name for name, _ in client.replies(WAIT_S)}
