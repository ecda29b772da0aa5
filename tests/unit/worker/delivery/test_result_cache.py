"""The result cache on a real Redis: what is kept under which name, and that its absence is never an error."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from hypothesis import given, settings, strategies as st

from sluice.harness.process import free_port
from sluice.harness.servers import RedisServer
from sluice.tasks.redis_client import connect
from sluice.tasks.server import Availability, Server
from sluice.worker.delivery.cached_answers import CachedAnswers
from sluice.worker.delivery.result_cache import PREFIX, ResultCache
from sluice.worker.engine.cache_reader import CacheReader
from sluice.worker.engine.mail import EncodedText, LookedUp
from sluice.worker.model.simulated import SimulatedClassifier


def make(precision: str = "", **facts: Any) -> ResultCache:
    classifier = SimulatedClassifier()
    classifier.precision = precision or classifier.precision
    classifier.info = replace(classifier.info, **facts)
    return ResultCache(classifier, ttl_s=60)


@given(st.lists(st.integers(0, 2**48), min_size=1), st.lists(st.integers(0, 2**48), min_size=1))
@settings(deadline=None)
def test_a_key_is_that_of_the_ids_alone(ids: list[int], others: list[int]) -> None:
    cache = make()
    assert cache.key(ids) == make().key(list(ids))
    assert (cache.key(ids) == cache.key(others)) == (ids == others)
    assert cache.key(ids).startswith(PREFIX)


@pytest.mark.parametrize("facts", [{"name": "other"}, {"version": "2"}, {"precision": "float16"}])
def test_another_model_has_other_keys(facts: dict[str, str]) -> None:
    assert make(**facts).key([1, 2]) != make().key([1, 2])


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_an_answer_comes_back_bit_by_bit(probabilities: list[float]) -> None:
    cache = make()
    assert cache.unpack(cache.pack(probabilities)) == probabilities


def test_what_is_no_answer_of_ours_is_none() -> None:
    cache = make()
    for value in (None, b"", b"[0.1, 0.2]", cache.pack([0.1, math.nan, 0.2]), cache.pack([1, 0, 0]) + b"\0"):
        assert cache.unpack(value) is None


class Rig:
    def __init__(self, url: str) -> None:
        self.cache = make()
        self.notes: SimpleQueue[LookedUp] = SimpleQueue()
        self.deaths: list[str] = []
        client = connect(url, socket_timeout=0.5)
        availability = Availability(Server.at(url), logging.getLogger(__name__))
        answers = CachedAnswers(self.cache, client, availability)
        self.thread = CacheReader(answers, to_batcher=self.notes.put, on_death=self.deaths.append)
        self.thread.start()

    def ask(self, *messages: list[int]) -> list[Any]:
        texts = [EncodedText(ids, [(SimpleNamespace(), 0)], bulk=False, arrived=0.0) for ids in messages]  # type: ignore[list-item]
        self.thread.inbox.put(texts)
        note = self.notes.get(timeout=10)
        assert note.texts is texts
        assert note.keys == [self.cache.key(ids) for ids in messages]
        return note.answers

    def end(self) -> None:
        self.thread.inbox.put(None)
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert not self.deaths


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    made = redis.Redis.from_url(redis_server.url)
    yield made
    made.flushdb()
    made.close()


def test_hits_and_misses_come_in_order(redis_server: RedisServer, client: redis.Redis) -> None:
    rig = Rig(redis_server.url)
    client.set(rig.cache.key([5, 6]), rig.cache.pack([0.25, 0.5, 0.25]))
    client.set(rig.cache.key([7]), b"something else")
    assert rig.ask([4], [5, 6], [7], [5, 6, 0]) == [None, [0.25, 0.5, 0.25], None, None]
    rig.end()


def test_a_cache_that_is_away_knows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(f"redis://127.0.0.1:{free_port()}/0")
    assert rig.ask([1], [2]) == [None, None]
    assert rig.ask([3]) == [None]
    rig.end()
    assert len(caplog.records) == 1, "it is asked again at once, and complained about again"


def test_a_key_of_another_kind_is_no_error(redis_server: RedisServer, client: redis.Redis) -> None:
    rig = Rig(redis_server.url)
    client.hset(rig.cache.key([1]), "field", "value")
    assert rig.ask([1]) == [None]
    rig.end()
