"""``MAX_QUEUE_DEPTH`` counts messages: whoever published them, whichever web process asks, on both brokers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from celery import Celery
from kombu import Connection

from sluice.harness.process import wait_for
from sluice.harness.web import Web
from sluice.harness.worker import Worker, client_app, flush
from sluice.tasks.envelope import QUEUES
from tests.conftest import Brokers

LIMIT = 1000

StartWeb = Callable[[dict[str, str]], Web]


@pytest.fixture
def env(brokers: Brokers) -> dict[str, str]:
    brokers.empty()
    return brokers.env(max_queue_depth=LIMIT)


def send(web: Web, size: int) -> int:
    """One request of so many messages; returns the status."""
    if size == 1:
        return web.ask("POST", "/predict/", {"text": "hi"}, prefer="respond-async").status
    return web.ask("POST", "/jobs", {"texts": ["hi"] * size, "lane": "interactive"}).status


def fill(webs: list[Web], size: int, most: int = 2 * LIMIT) -> int:
    """Send to each web process in turn until one refuses; returns how many messages were let in."""
    sent = turn = 0
    while sent < most and (status := send(webs[turn % len(webs)], size)) != 429:
        assert status == 202
        sent, turn = sent + size, turn + 1
    return sent


def depth(web: Web, lane: str = "interactive") -> int:
    return int(web.ask("GET", "/stats").json["queue"][lane])


@pytest.mark.parametrize("size", [1, 100, 400])
def test_without_workers_the_limit_is_kept(start_web: StartWeb, env: dict[str, str], size: int) -> None:
    web = start_web(env)
    sent = fill([web], size)
    assert LIMIT <= sent <= LIMIT + size
    assert depth(web) == sent
    refused = web.ask("POST", "/predict/", {"text": "hi"})
    assert refused.json["detail"]["details"] == {"lane": "interactive", "waiting": sent, "limit": LIMIT}
    assert int(refused.headers["retry-after"]) >= 1
    assert web.ask("POST", "/jobs", {"texts": ["hi"], "lane": "bulk"}).status == 202


@pytest.mark.parametrize("size", [1, 100])
def test_a_web_process_that_is_started_anew_knows_them(start_web: StartWeb, env: dict[str, str], size: int) -> None:
    first = start_web(env)
    before = fill([first], size, 600)
    first.stop()
    after = fill([start_web(env)], size)
    assert LIMIT <= before + after <= LIMIT + size


@pytest.mark.parametrize("size", [1, 100])
def test_two_web_processes_keep_one_limit(start_web: StartWeb, env: dict[str, str], size: int) -> None:
    sent = fill([start_web(env), start_web(env)], size)
    # Each may have let one more in before it heard of the other's.
    assert LIMIT <= sent <= LIMIT + 2 * size + 10


def test_messages_of_plain_celery_clients_count(start_web: StartWeb, env: dict[str, str]) -> None:
    app = client_app(env)
    for _ in range(5):
        app.tasks["tasks.classify"].delay(["hi"] * 100)
        app.send_task("tasks.classify", (), {"messages": ["hi"] * 20})
    web = start_web(env)
    wait_for(lambda: depth(web) == 600, "the count", 10)
    assert LIMIT <= 600 + fill([web], 1) < LIMIT + 10


def test_messages_of_strangers_count_as_far_as_the_broker_shows_them(
    start_web: StartWeb, env: dict[str, str], brokers: Brokers
) -> None:
    web = start_web(env)
    fill([web], 100, 300)
    stranger = Celery("stranger", broker=brokers.broker.url)
    queue = next(one for one in client_app(env).conf.task_queues if one.name == QUEUES["interactive"])
    with stranger.connection_for_write() as connection:
        for _ in range(4):
            stranger.send_task("tasks.classify", (["hi"] * 50,), queue=queue, connection=connection)
    # RabbitMQ lets nobody look into an envelope: until a worker has seen one, each counts as one message.
    wait_for(lambda: depth(web) == 300 + (200 if brokers.kind == "redis" else 4), "the count", 10)


def test_what_is_answered_is_counted_no_more(
    start_web: StartWeb, env: dict[str, str], start_worker: Callable[..., Worker]
) -> None:
    web = start_web(env)
    app = client_app(env)
    fill([web], 100)
    app.tasks["tasks.classify"].delay(["hi"] * 100)
    app.tasks["tasks.classify"].delay([])  # one that makes no sense
    app.tasks["tasks.classify"].apply_async((["late"],), expires=0.01)
    assert depth(web) >= LIMIT
    start_worker(env).ready()
    wait_for(lambda: depth(web) == 0, "an empty system", 30)
    assert web.ask("POST", "/predict/", {"text": "hi"}).status == 200


def test_a_purged_queue_is_empty(start_web: StartWeb, env: dict[str, str], brokers: Brokers) -> None:
    web = start_web(env)
    fill([web], 100)
    assert web.ask("POST", "/jobs", {"texts": ["hi"] * 600, "lane": "bulk"}).status == 202
    with Connection(brokers.broker.url) as connection:
        for queue in QUEUES.values():
            connection.channel().queue_purge(queue)
    wait_for(lambda: depth(web) == depth(web, "bulk") == 0, "the correction", 30)
    assert send(web, 1) == 202


def test_lost_counters_heal(
    start_web: StartWeb, env: dict[str, str], brokers: Brokers, start_worker: Callable[..., Worker]
) -> None:
    web = start_web(env)
    fill([web], 100, 500)
    if brokers.kind == "redis":  # where the queue would be gone too
        from sluice.tasks import keys
        from sluice.tasks.redis_client import connect

        with connect(brokers.backend.url) as client:
            client.delete(keys.LEDGER)
    else:
        flush(brokers.backend.url)
    wait_for(lambda: 5 <= depth(web) <= 500, "an estimate", 10)
    start_worker(env).ready()
    wait_for(lambda: depth(web) == 0, "an empty system", 30)
    wait_for(lambda: depth(web) == 0 and fill([web], 100, 100) == 100 and depth(web) <= 100, "an honest count", 30, 1)
