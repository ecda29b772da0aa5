"""A server that is away for a while is logged when it goes and when it is back, not at every try; no traceback."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.cli.processes import environment as own_environment, sluice
from sluice.harness.process import Child, free_port
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.worker import Worker, environment

#: Tries of every part go on for so long.
AWAY_S = 8.0
#: Lines about a broker and a result backend that close the connection, refuse the next, and are back.
MOST_LINES = 6


def test_a_worker_logs_an_outage_once(
    own_broker: RedisServer | RabbitServer, redis_server: RedisServer, start_worker: Callable[..., Worker]
) -> None:
    worker = start_worker(environment(own_broker.url, redis_server.url)).ready()
    before = len(worker.output().splitlines())
    own_broker.kill()
    worker.wait_for_output("the broker at ")
    time.sleep(AWAY_S)
    own_broker.start()
    worker.wait_for_output("the broker can be used again, after ")
    lines = [line for line in worker.output().splitlines()[before:] if "WARNING" in line or "ERROR" in line]
    assert 0 < len(lines) <= MOST_LINES, lines
    assert "Traceback" not in worker.output()
    assert sum("connection refused" in line and "SLUICE_BROKER_URL" in line for line in lines) == 1


@pytest.mark.parametrize("kind", ["redis", "rabbitmq"])
def test_web_logs_an_outage_once(
    kind: str, own_redis: RedisServer, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    broker = own_redis if kind == "redis" else request.getfixturevalue("own_rabbit")
    port = free_port()
    env = own_environment() | environment(broker.url, own_redis.url, port=port, state_dir=tmp_path)
    web = Child(sluice("web"), tmp_path / "web.log", env)
    try:
        own_redis.kill()
        web.wait_for_output("the result backend at ")
        time.sleep(AWAY_S)
        own_redis.start()
        web.wait_for_output("the result backend can be used again, after ")
        lines = web.output().splitlines()
        assert len(lines) <= MOST_LINES, lines
        assert "Traceback" not in web.output()
    finally:
        web.stop()
