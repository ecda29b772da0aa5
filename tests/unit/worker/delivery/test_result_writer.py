"""The result writer and the statistics, on a real Redis: who gets which answer, what is kept, what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import orjson
import pytest
import redis

from sluice.config.settings import read
from sluice.harness.servers import RedisServer
from sluice.tasks import keys
from sluice.tasks.app import make_celery
from sluice.tasks.envelope import Message
from sluice.tasks.errors import InvalidInput, ModelFailed
from sluice.tasks.prediction_options import PredictionOptions
from sluice.tasks.wire.status import WorkerStatus
from sluice.worker.delivery.result_cache import ResultCache
from sluice.worker.delivery.result_store import ResultStore
from sluice.worker.delivery.result_writer import ResultWriter
from sluice.worker.delivery.stats import Stats
from sluice.worker.delivery.weeks import WeekWriter
from sluice.worker.engine.entries import Entries
from sluice.worker.engine.mail import Dropped, Ended, Finished, InFlightEnvelope, Outcome
from sluice.worker.model.judge import Judge
from sluice.worker.model.simulated import SimulatedClassifier

FRIDAY = 1_767_312_000.0  # 2 January 2026, in the first ISO week of that year
HAM, SPAM = [0.75, 0.25, 0.0], [0.25, 0.75, 0.0]


class Rig:
    def __init__(self, server: RedisServer, **login: str) -> None:
        settings = read(broker_url=server.url, result_backend=server.url)
        self.app = make_celery(settings)
        self.client = redis.Redis.from_url(server.url, **login)
        self.cache = ResultCache(SimulatedClassifier(), ttl_s=60)
        self.stats = Stats(SimulatedClassifier.labels)
        self.main: SimpleQueue[Finished] = SimpleQueue()
        self.deaths: list[str] = []
        model = SimulatedClassifier()
        self.writer = ResultWriter(
            self.app,
            ResultStore(self.app, self.client, "w@test", 100),
            Entries(model, Judge(model.labels, model.info, settings)),
            self.stats,
            to_main=self.main.put,
            to_batcher=lambda note: None,
            status=WorkerStatus,
            generation=lambda: 0,
            cache=self.cache,
            weeks=WeekWriter(self.client, SimulatedClassifier().info, clock=lambda: FRIDAY),
            on_death=self.deaths.append,
        )
        self.writer.start()

    def finished(self, *notes: Any) -> list[Finished]:
        """Put notes and the end; returns what main was told."""
        for note in (*notes, Ended()):
            self.writer.inbox.put(note)
        self.writer.join(10)
        assert not self.writer.is_alive()
        assert not self.deaths
        return [self.main.get_nowait() for _ in range(self.main.qsize())]

    def result(self, name: str) -> Any:
        return self.app.AsyncResult(name).result


@pytest.fixture
def rig(redis_server: RedisServer) -> Iterator[Rig]:
    made = Rig(redis_server)
    yield made
    made.client.flushdb()
    made.client.close()


def envelope_of(name: str, *ids: str | None, **fields: Any) -> InFlightEnvelope:
    messages = [Message("text", one) for one in ids]
    return InFlightEnvelope(name, messages, single=False, bulk=False, arrived=0.0, generation=0, **fields)


def test_all_who_share_an_answer_get_it_under_their_own_ids(rig: Rig) -> None:
    a, b = envelope_of("a", "m1", None), envelope_of("b", "m2")
    notes = rig.finished(Outcome([[(a, 0), (b, 0)], [(a, 1)]], [SPAM, HAM], "model", 0.01, 9))
    assert [note.envelope for note in notes] == [b, a] or [note.envelope for note in notes] == [a, b]
    same = {"probability": 0.75, "model": "simulated", "version": "1"}
    assert rig.result("a") == [{"id": "m1", "label": "spam", **same}, {"label": "ham", **same}]
    assert rig.result("b") == [{"id": "m2", "label": "spam", **same}]


def test_scores_go_to_those_of_a_shared_answer_who_asked_for_them(rig: Rig) -> None:
    plain, full = envelope_of("plain", None, None), envelope_of("full", "m1", None)
    full.options = PredictionOptions(scores=True)
    shared = [[(plain, 0), (full, 0)], [(full, 1), (plain, 1)]]
    rig.finished(Outcome(shared, [SPAM, ModelFailed("no")], "model", 0.01, 9))
    without = {"label": "spam", "probability": 0.75, "model": "simulated", "version": "1"}
    assert rig.result("plain")[0] == without
    assert rig.result("full")[0] == {"id": "m1", **without, "scores": {"ham": 0.25, "spam": 0.75, "phishing": 0.0}}
    assert rig.result("plain")[1] == rig.result("full")[1]
    assert set(rig.result("full")[1]) == {"error"}


def test_replies_name_envelope_and_place(rig: Rig) -> None:
    a = envelope_of("a", None, None)
    a.reply_to = "web"
    rig.finished(Outcome([[(a, 0), (a, 1)]], [SPAM]))
    packed = rig.client.lpop(keys.reply("web"))
    assert isinstance(packed, bytes)
    replies = orjson.loads(packed)
    assert [(index, entry["label"]) for index, entry in replies["a"]] == [(0, "spam"), (1, "spam")]


def test_answers_are_kept_and_errors_are_not(rig: Rig) -> None:
    a = envelope_of("a", None, None)
    names = [rig.cache.key([number]) for number in range(2)]
    rig.finished(Outcome([[(a, 0)], [(a, 1)]], [SPAM, ModelFailed("no")], "model", 0.01, 2, list(names)))
    packed = rig.client.get(names[0])
    assert isinstance(packed, bytes)
    assert rig.cache.unpack(packed) == SPAM
    assert 0 < rig.client.ttl(names[0]) <= 60
    assert rig.client.get(names[1]) is None


def test_what_is_counted(rig: Rig) -> None:
    a, b = envelope_of("a", *"uvwx"), envelope_of("b", *"yz")
    rig.finished(
        Outcome([[(a, 0), (b, 0)], [(a, 1)]], [SPAM, ModelFailed("no")], "model", 0.5, 20, None, 16, 3),
        Outcome([[(a, 2)]], [SPAM], "alike"),
        Outcome([[(a, 3)]], [HAM], "cache"),
        Outcome([[(b, 1)]], [InvalidInput("blank")], "refused"),
        Dropped(envelope_of("c", None), InvalidInput("unreadable")),
    )
    assert rig.stats.counters.model_dump() == {
        "messages": 5,
        "duplicates": 2,
        "cached": 1,
        "batches": 1,
        "envelopes": 3,
        "errors": 2,
        "revoked": 0,
        "failed_envelopes": 1,
        "tokens": 20,
    }
    assert (rig.stats.batches.mean_size, rig.stats.rate) == (2, 4.0)
    assert rig.stats.answers.model_dump() == {
        "messages": 4,
        "labels": {"ham": 1, "spam": 3, "phishing": 0},
        "confidence": 3.0,
        "pieces": 16,
        "unknown_pieces": 3,
    }


def test_the_figures_of_the_week_are_kept_when_the_worker_ends(rig: Rig) -> None:
    a = envelope_of("a", *"uvw")
    rig.finished(Outcome([[(a, 0), (a, 1)], [(a, 2)]], [SPAM, HAM], "model", 0.5, 20, None, 16, 3))
    [name] = rig.client.zrange(keys.WEEKS, 0, -1)
    assert isinstance(name, bytes)
    assert name.decode() == keys.week("2026-W01", "simulated", "1")
    assert rig.client.hgetall(name) == {
        b"week": b"2026-W01",
        b"model": b"simulated",
        b"version": b"1",
        b"messages": b"3",
        b"label:ham": b"1",
        b"label:spam": b"2",
        b"confidence": b"2250000",
        b"pieces": b"16",
        b"unknown_pieces": b"3",
    }


def test_a_user_that_may_run_no_scripts_stores_results_all_the_same(rig: Rig, redis_server: RedisServer) -> None:
    rig.client.execute_command("ACL SETUSER plain on >secret ~* &* +@all -@scripting")
    plain = Rig(redis_server, username="plain", password="secret")
    envelopes = [envelope_of(name, None) for name in "abc"]
    with rig.client.pubsub() as listener:
        listener.subscribe("celery-task-meta-a", "celery-task-meta-c")
        notes = [Outcome([[(envelope, 0)]], [SPAM]) for envelope in envelopes]
        assert len(plain.finished(*notes)) == 3
        assert [rig.result(name)[0]["label"] for name in "abc"] == ["spam"] * 3
        heard = [message for _ in range(4) if (message := listener.get_message(timeout=5))]
    assert [message["type"] for message in heard] == ["subscribe", "subscribe", "message", "message"]
    rig.client.execute_command("ACL DELUSER plain")


def test_whoever_listens_hears_each_result_as_it_is_stored(rig: Rig) -> None:
    with rig.client.pubsub() as listener:
        listener.subscribe("celery-task-meta-a")
        rig.finished(Outcome([[(envelope_of("a", None), 0)]], [SPAM]))
        heard = [message for _ in range(2) if (message := listener.get_message(timeout=5))]
    assert heard[1]["data"] == rig.client.get("celery-task-meta-a")
    assert 0 < rig.client.ttl("celery-task-meta-a") <= 100
