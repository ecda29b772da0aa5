"""A Redis that answers and refuses to work, as broker and as result backend: it is waited for, and nobody ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import redis

from sluice.harness.process import wait_for
from sluice.harness.refusals import REFUSALS
from sluice.harness.servers import RedisServer
from sluice.harness.web import Web
from sluice.harness.worker import Worker, client_app, environment
from sluice.tasks.envelope import QUEUES, TASK_NAME
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable
from sluice.tasks.publisher import Publisher
from sluice.tasks.redis_client import connect
from sluice.tasks.server import Server

StartWorker = Callable[..., Worker]


@pytest.mark.parametrize("word", REFUSALS)
@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_a_worker_waits_for_a_redis_that_refuses(
    kind: str,
    word: str,
    own_redis: RedisServer,
    tmp_path: Path,
    start_worker: StartWorker,
    request: pytest.FixtureRequest,
) -> None:
    broker = own_redis if kind == "redis" else request.getfixturevalue("rabbit_server")
    env = environment(broker.url, own_redis.url, max_batch_size=8, model="simulated:?batch_ms=300")
    app = client_app(env)
    worker = start_worker(env).ready()
    results = [app.tasks[TASK_NAME].delay(f"see you at {number}") for number in range(12)]
    results += [app.tasks[TASK_NAME].apply_async((["in", "bulk"],), queue=QUEUES["bulk"]) for _ in range(3)]
    wait_for(lambda: results[0].ready(), "the first result")
    with redis.Redis.from_url(own_redis.url) as client, REFUSALS[word](client, tmp_path):
        if kind == "redis":
            worker.wait_for_output(f"Redis refuses to work: {word}")
        worker.wait_for_output("the result store is away")
        assert worker.returncode is None
    wait_for(lambda: all(one.ready() for one in results), "every result", 20)
    assert {one.state for one in results} == {"SUCCESS"}
    assert worker.stop() == 0
    with redis.Redis.from_url(own_redis.url) as client:
        assert client.hlen("unacked") == 0


def test_a_worker_that_waits_for_redis_can_be_stopped(
    own_redis: RedisServer, tmp_path: Path, start_worker: StartWorker
) -> None:
    env = environment(own_redis.url, own_redis.url)
    worker = start_worker(env).ready()
    with redis.Redis.from_url(own_redis.url) as client, REFUSALS["READONLY"](client, tmp_path):
        worker.wait_for_output("Redis refuses to work: READONLY")
        assert worker.stop(timeout_s=20) == 0


@pytest.mark.parametrize("word", REFUSALS)
def test_clients_lose_connections_to_a_redis_that_refuses(own_redis: RedisServer, tmp_path: Path, word: str) -> None:
    """They must reach another one by the same address, when there is one."""
    app = client_app(environment(own_redis.url, own_redis.url))
    backend, ask = connect(own_redis.url), Server.backend(app.sluice_settings).ask
    with Publisher(app) as publisher, redis.Redis.from_url(own_redis.url) as client:
        publisher.publish(["before"])
        backend.set("before", 1)
        old = connections(client)
        with REFUSALS[word](client, tmp_path):
            with pytest.raises(BrokerUnavailable):
                publisher.publish(["refused"])
            with pytest.raises(BackendUnavailable):
                ask(backend.set, "refused", 1)
            with pytest.raises(BackendUnavailable):
                ask(backend.eval, "redis.call('SET', KEYS[1], 1)", 1, "refused")
            assert not old & connections(client)
        publisher.publish(["after"])
        assert ask(backend.get, "refused") is None
    backend.close()


def connections(client: redis.Redis) -> set[str]:
    """Ids of the connections of others."""
    return {one["id"] for one in client.client_list()} - {str(client.client_id())}


@pytest.mark.parametrize("word", REFUSALS)
@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_the_web_process_says_so_and_carries_on(
    kind: str,
    word: str,
    own_redis: RedisServer,
    tmp_path: Path,
    folder: Path,
    start_worker: StartWorker,
    request: pytest.FixtureRequest,
) -> None:
    broker = own_redis if kind == "redis" else request.getfixturevalue("rabbit_server")
    env = environment(broker.url, own_redis.url)
    worker = start_worker(env).ready()
    web = Web(folder, env)
    try:
        web.ready()
        with redis.Redis.from_url(own_redis.url) as client, REFUSALS[word](client, tmp_path):
            reply = web.ask("POST", "/jobs", {"texts": ["see you at eight"]})
            assert reply.status == 503
            assert reply.json["detail"]["error"] in ("broker_unavailable", "backend_unavailable")
            for part in ("broker", "backend") if kind == "redis" else ("backend",):
                wait_for(partial(says, web, part, word), f"the {part} is not ready")
        wait_for(lambda: web.ask("POST", "/predict/", {"text": "see you at nine"}).status == 200, "an answer")
        assert (web.returncode, worker.returncode) == (None, None)
    finally:
        web.stop()


def says(web: Web, part: str, word: str) -> bool:
    """Whether ``/readyz`` has the word in why this part is not ready."""
    return word in (reason(web, part) or "")


def reason(web: Web, part: str) -> str | None:
    """Why a part is not ready, as ``/readyz`` says it."""
    found: str | None = web.ask("GET", "/readyz").json["checks"][part]["reason"]
    return found
