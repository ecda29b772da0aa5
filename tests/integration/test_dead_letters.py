"""A broker that gives up messages after a number of deliveries, and queues of a release that knew nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from kombu import Connection, Exchange, Queue

from sluice.harness.broker import waiting
from sluice.harness.crash_loop import Loop, accounted
from sluice.harness.process import wait_for
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.web import Web
from sluice.harness.worker import Worker, client_app, environment
from sluice.tasks.envelope import DEAD_LETTERS, QUEUES, TASK_NAME
from sluice.tasks.lanequeue import EXCHANGE_NAME
from sluice.worker.consumer.rescue import MOST_DELIVERIES
from tests.conftest import drop_queues
from tests.integration.test_shutdown import check_answers

StartWorker = Callable[..., Worker]


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_nothing_that_was_accepted_before_a_crash_loop_is_lost(folder: Path, broker: str) -> None:
    """Under a policy that lets RabbitMQ give up what two dying workers held."""
    loop = Loop(folder, broker, delivery_limit=2, messages=620, deadly=2, limit_s=200, restart_wait_s=0.2)
    row = loop.run()
    assert accounted(row), row


def earlier_queues(url: str, queue_type: str = "quorum") -> None:
    """The queues as a release before dead letters declared them."""
    with Connection(url) as connection:
        exchange = Exchange(EXCHANGE_NAME, type="topic", durable=True)
        for name in QUEUES.values():
            queue = Queue(name, exchange, name, durable=True, queue_arguments={"x-queue-type": queue_type})
            queue(connection.channel()).declare()


def test_queues_of_an_earlier_release_are_used_as_they_stand(
    rabbit_server: RabbitServer, redis_server: RedisServer, start_worker: StartWorker, folder: Path
) -> None:
    drop_queues(rabbit_server.url)
    earlier_queues(rabbit_server.url)
    env = environment(rabbit_server.url, redis_server.url)
    app = client_app(env)
    results = [app.tasks[TASK_NAME].apply_async(("early",), queue=queue) for queue in QUEUES.values()]
    front = Web(folder, env)
    try:
        worker = start_worker(env).ready()
        front.ready()
        assert front.ask("POST", "/predict/", {"text": "hello"}).status == 200
        check_answers(results)
    finally:
        front.stop()
    assert worker.stop() == 0
    (line,) = [line for line in worker.output().splitlines() if "set_policy" in line]
    assert all(queue in line for queue in QUEUES.values())
    drop_queues(rabbit_server.url)


def test_what_an_operators_policy_gives_up_is_answered(
    rabbit_server: RabbitServer, redis_server: RedisServer, start_worker: StartWorker
) -> None:
    """Rejected until its limit by a consumer that is none of ours, on the queues of an earlier release too."""
    drop_queues(rabbit_server.url)
    earlier_queues(rabbit_server.url)
    pattern = r"^sluice[.](interactive|bulk)$"
    rabbit_server.set_policy("dead", pattern, {"dead-letter-exchange": DEAD_LETTERS, "delivery-limit": 1})
    env = environment(rabbit_server.url, redis_server.url)
    worker = start_worker(env).ready()  # it declares where dead letters go
    assert worker.stop() == 0
    app = client_app(env)
    results = [app.tasks[TASK_NAME].apply_async((["a", "b"],), queue=queue) for queue in QUEUES.values()]
    with Connection(rabbit_server.url) as connection:
        channel = connection.channel()
        for queue in QUEUES.values():
            for _ in range(2):
                message = wait_for(partial(channel.basic_get, queue), "the envelope")
                channel.basic_reject(message.delivery_tag, requeue=True)
    wait_for(lambda: dead_letters(rabbit_server.url) == 2, "the dead letters")
    worker = start_worker(env).ready()
    check_answers(results)
    assert worker.stop() == 0
    assert waiting(rabbit_server.url) == 0
    drop_queues(rabbit_server.url)  # first: a policy that goes touches the queues that are there
    rabbit_server.clear_policy("dead")


def test_a_worn_message_of_an_earlier_queue_is_moved_before_it_is_dropped(
    rabbit_server: RabbitServer, redis_server: RedisServer, start_worker: StartWorker
) -> None:
    drop_queues(rabbit_server.url)
    earlier_queues(rabbit_server.url)
    rabbit_server.set_policy("limit", ".*", {"delivery-limit": 20})
    env = environment(rabbit_server.url, redis_server.url)
    app = client_app(env)
    send = app.tasks[TASK_NAME].apply_async
    results = [send((["a", "b"],), queue=queue, compression="zlib") for queue in QUEUES.values()]
    with Connection(rabbit_server.url) as connection:
        channel = connection.channel()
        for queue in QUEUES.values():
            for _ in range(MOST_DELIVERIES):
                message = wait_for(partial(channel.basic_get, queue), "the envelope")
                channel.basic_reject(message.delivery_tag, requeue=True)
    worker = start_worker(env).ready()
    check_answers(results)
    assert worker.stop() == 0
    assert worker.output().count("was moved to sluice.dead") == 2
    assert waiting(rabbit_server.url) == 0
    drop_queues(rabbit_server.url)  # first: a policy that goes touches the queues that are there
    rabbit_server.clear_policy("limit")


def test_a_message_that_is_no_task_is_deleted_for_good(
    rabbit_server: RabbitServer, redis_server: RedisServer, start_worker: StartWorker
) -> None:
    drop_queues(rabbit_server.url)
    env = environment(rabbit_server.url, redis_server.url)
    classify, worker = client_app(env).tasks[TASK_NAME], start_worker(env).ready()
    with Connection(rabbit_server.url, transport_options={"confirm_publish": True}) as connection:
        producer = connection.Producer()
        for queue in QUEUES.values():
            producer.publish({"no": "task"}, exchange=EXCHANGE_NAME, routing_key=queue)
            producer.publish(b"\xff", exchange=EXCHANGE_NAME, routing_key=queue, content_type="application/json")
    for queue in QUEUES.values():  # what comes after them is answered, so they are done with
        assert classify.apply_async(("see you at eight",), queue=queue).get(timeout=30)["label"]
    assert worker.stop() == 0
    assert worker.output().count("deleted a message") == 2, "one line for each reason"
    assert waiting(rabbit_server.url) == 0


def dead_letters(url: str) -> int:
    with Connection(url) as connection:
        return connection.channel().queue_declare(DEAD_LETTERS, passive=True).message_count
