"""When the next worker waits, for how long, and what makes it forget."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import orjson
import pytest
import redis

from sluice.harness.servers import RedisServer
from sluice.tasks.redis_client import connect
from sluice.worker.consumer import restarts
from sluice.worker.consumer.restarts import PROVEN_S, REMEMBERED_S, Restarts


class Machine:
    """Starts of workers that are other processes by now."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.dead = 0
        self.process = subprocess.Popen(["sleep", "60"])

    def crash(self, *, answered: bool = False, ago_s: float = 5.0) -> None:
        """A worker has started and ended, so many seconds ago."""
        one = self.start()
        one.begin()
        if answered:
            one.answered()
        kept = self.client.hget(one._name, one._mine)
        assert kept is not None
        noted = orjson.loads(kept)
        self.dead += 1
        self.client.hset(one._name, f"{self.process.pid}:{self.dead}", orjson.dumps([noted[0] - ago_s, noted[1]]))
        self.client.hdel(one._name, one._mine)

    def start(self, most_s: float = 30.0) -> Restarts:
        return Restarts(self.client, most_s)


@pytest.fixture
def machine(redis_server: RedisServer) -> Iterator[Machine]:
    client = connect(redis_server.url)
    client.flushdb()
    made = Machine(client)
    yield made
    made.process.kill()
    made.process.wait()
    client.flushdb()
    client.close()


def test_the_wait_doubles_with_every_worker_that_ended_at_its_first_batch(machine: Machine) -> None:
    waits = []
    for _ in range(9):
        waits.append(machine.start().begin()[1])
        machine.crash()
    assert waits == [0, 0, 1, 2, 4, 8, 16, 30, 30]


def test_the_longest_wait_is_a_setting(machine: Machine) -> None:
    for _ in range(6):
        machine.crash()
    assert machine.start(3).begin() == (6, 3)
    assert machine.start(0).begin() == (6, 0)


def test_workers_that_had_answered_something_make_for_a_short_wait(machine: Machine) -> None:
    for _ in range(6):
        machine.crash(answered=True)
    assert machine.start().begin() == (6, 1)
    machine.crash()
    assert machine.start().begin() == (7, 30)


def test_a_worker_that_stops_as_asked_does_not_count_and_hides_no_other(machine: Machine) -> None:
    for _ in range(3):
        machine.crash()
    one = machine.start()
    assert one.begin()[0] == 3
    one.forget()
    one.answered()
    assert machine.start().begin()[0] == 3


def test_ends_are_forgotten_once_a_worker_has_lived_for_a_while(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "PROVEN_S", 0.01)
    machine.crash()
    one = machine.start()
    one.begin()
    one.forget_later().join(10)
    assert not machine.client.exists(one._name)


def test_what_was_long_ago_and_who_still_lives_count_for_nothing(machine: Machine) -> None:
    for _ in range(3):
        machine.crash(ago_s=REMEMBERED_S + PROVEN_S)
    other = f"{machine.process.pid}:{restarts._born(machine.process.pid)}"
    for number in range(3):
        machine.client.hset(machine.start()._name, other, orjson.dumps([9e9 + number, False]))
    assert machine.start().begin() == (0, 0)


def test_without_a_result_store_nobody_waits() -> None:
    assert Restarts(connect("redis://127.0.0.1:1/0"), 30).begin() == (0, 0)
