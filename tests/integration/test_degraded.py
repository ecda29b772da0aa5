"""Workers and web processes with settings of their own: the policy, models without thresholds, no verdict in time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sluice.config.settings import read
from sluice.harness.process import wait_for
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.web import Web
from sluice.harness.worker import Worker, client_app, environment, flush
from sluice.tasks.errors import ModelUnavailable
from sluice.worker.engine.capacity import load_classifier
from tests.conftest import Brokers, drop_queues
from tests.integration.test_verdicts import BEHIND, MODEL, TEXTS, WAIT_S, expected, first_result, judged, run
from tests.unit.worker.model.conftest import save_model


@pytest.fixture
def fresh(brokers: Brokers) -> Callable[..., dict[str, str]]:
    """Settings on a broker that is empty."""
    brokers.empty()
    return lambda **settings: brokers.env(**{"model": MODEL, **settings})


def test_the_worker_s_policy_holds_for_every_client(
    fresh: Callable[..., dict[str, str]], start_worker: Callable[..., Worker], start_web: Callable[..., Web]
) -> None:
    start_worker(fresh(verdict_policy="never_block", verdict=True)).ready()
    web = start_web(fresh())  # a front that knows nothing of it
    entries = client_app(fresh()).tasks["tasks.classify"].delay(TEXTS, scores=True).get(timeout=WAIT_S)
    mild = [expected(entry["scores"]) for entry in entries]
    blocked = [number for number, (verdict, _) in enumerate(mild) if verdict == "block"]
    assert blocked
    mild = [("flag", f"{rule} (never_block)") if verdict == "block" else (verdict, rule) for verdict, rule in mild]
    assert [judged(entry) for entry in entries] == mild
    number = blocked[0]
    asked = web.ask("POST", "/predict/", {"text": TEXTS[number], "verdict": True}).json
    assert judged(asked) == mild[number]
    assert "verdict" not in web.ask("POST", "/predict/", {"text": TEXTS[number]}).json


@pytest.fixture(scope="module")
def moods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of another trade, without thresholds."""
    folder = tmp_path_factory.mktemp("moods") / "moods"
    save_model(folder, {0: "positive", 1: "negative"})
    return folder


def test_a_model_without_thresholds_says_so_to_those_who_ask(
    redis_server: RedisServer,
    start_worker: Callable[..., Worker],
    start_web: Callable[..., Web],
    folder: Path,
    moods: Path,
) -> None:
    flush(redis_server.url)
    env = environment(redis_server.url, redis_server.url, model=moods)
    start_worker(env).ready()
    web = start_web(env).ready()
    says = "the model moods unknown has no thresholds, so it gives no verdict"
    with ThreadPoolExecutor(8) as pool:  # in one envelope with those who do not
        bodies = [{"text": f"message {number}", "verdict": bool(number % 2)} for number in range(40)]
        replies = list(pool.map(lambda body: web.ask("POST", "/predict/", body), bodies))
    assert [reply.status for reply in replies] == [200, 422] * 20
    assert says in replies[1].json["detail"]["message"]
    assert set(replies[0].json) == {"label", "probability", "processing_time", "model_info"}
    refused = web.ask("POST", "/jobs", {"texts": ["x"], "verdict": True})
    assert refused.status == 422
    assert says in refused.json["detail"]["message"]
    task = client_app(env).tasks["tasks.classify"]
    for payload in ("x", ["x", "y"]):
        with pytest.raises(Exception, match=says):
            task.delay(payload, verdict=True).get(timeout=WAIT_S)
    assert task.delay("x").get(timeout=WAIT_S)["label"] in ("positive", "negative")
    (folder / "in.txt").write_text("one\ntwo\n")
    for command in (["backfill", "in.txt", "-o", "out.csv", "--verdict"], ["predict", "--verdict", "x"]):
        for local in ([], ["--local"]):
            said = run(env, folder, *command, *local)
            assert said.returncode == 1
            assert says in said.stderr
    assert not (folder / "out.csv").exists()


def test_always_a_verdict_and_a_model_that_gives_none_do_not_go_together(moods: Path) -> None:
    with pytest.raises(ModelUnavailable, match="SLUICE_VERDICT is true, but the model moods unknown has no thresholds"):
        load_classifier(read(model=str(moods), device="cpu", precision="fp32", verdict=True))


def degraded(web: Web, reason: str, prefer: str = "wait=1") -> dict[str, Any]:
    """The answer to who asks for a verdict, which must be a degraded one."""
    reply = web.ask("POST", "/predict/", {"text": TEXTS[0], "verdict": True}, prefer=prefer)
    assert reply.status == 200, reply.body
    answer: dict[str, Any] = reply.json
    assert (answer["verdict"], answer["degraded"], answer["reason"]) == ("allow", True, reason)
    assert not {"label", "probability", "model_info"} & set(answer)
    assert reply.headers["x-degraded"] == reason
    return answer


def test_without_a_worker_messages_pass_and_are_classified_later(
    fresh: Callable[..., dict[str, str]], start_worker: Callable[..., Worker], start_web: Callable[..., Web]
) -> None:
    env = fresh(on_outage="allow")
    web = start_web(env)
    result = degraded(web, "timeout")["result"]
    assert web.ask("POST", "/predict/", {"text": TEXTS[0]}, prefer="wait=1").status == 202
    assert web.ask("POST", "/predict/", {"text": TEXTS[0], "verdict": True}, prefer="wait=0").status == 202
    start_worker(env).ready()
    entry = wait_for(lambda: first_result(web, result), BEHIND, WAIT_S)
    assert judged(entry)[0] in ("allow", "flag", "block")
    answer = web.ready().ask("POST", "/predict/", {"text": TEXTS[0], "verdict": True}).json
    assert judged(answer) == judged(entry)
    assert web.ask("GET", "/stats").json["degraded"] == {"timeout": 1}


def test_when_the_queue_is_full_messages_pass(
    fresh: Callable[..., dict[str, str]], start_web: Callable[..., Web]
) -> None:
    env = fresh(on_outage="allow", max_queue_depth=5)
    web = start_web(env)
    for _ in range(5):
        assert web.ask("POST", "/predict/", {"text": "hi"}, prefer="respond-async").status == 202
    assert degraded(web, "queue_full")["result"] is None
    assert web.ask("POST", "/predict/", {"text": "hi"}).status == 429
    strict = start_web({**env, "SLUICE_ON_OUTAGE": "error"})
    wait_for(lambda: strict.ask("GET", "/stats").json["queue"]["interactive"] == 5, "the other front's count")
    assert strict.ask("POST", "/predict/", {"text": "hi", "verdict": True}).status == 429


def test_when_the_broker_cannot_be_reached_messages_pass(
    brokers: Brokers, fresh: Callable[..., dict[str, str]], start_web: Callable[..., Web]
) -> None:
    url = "redis://127.0.0.1:1/0" if brokers.kind == "redis" else "amqp://guest:guest@127.0.0.1:1//"
    env = {**fresh(on_outage="allow"), "SLUICE_BROKER_URL": url}
    web = start_web(env)
    answer = degraded(web, "broker_unavailable", "wait=10")
    assert "SLUICE_BROKER_URL" in answer["message"]
    assert answer["result"] is None
    assert web.ask("POST", "/predict/", {"text": "hi"}).status == 503


def test_when_broker_and_backend_go_and_come_back(
    tmp_path: Path, start_worker: Callable[..., Worker], start_web: Callable[..., Web]
) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        env = environment(server.url, server.url, model=MODEL, on_outage="allow")
        start_worker(env).ready()
        web = start_web(env).ready()
        body = {"text": TEXTS[0], "verdict": True}
        before = judged(web.ask("POST", "/predict/", body).json)
        server.kill()
        degraded(web, "broker_unavailable", "wait=5")
        server.start()
        web.ready()
        assert judged(web.ask("POST", "/predict/", body).json) == before
    finally:
        server.stop()


def test_a_frozen_rabbitmq_holds_nobody_up(
    rabbit_server: RabbitServer, redis_server: RedisServer, start_web: Callable[..., Web]
) -> None:
    flush(redis_server.url)
    drop_queues(rabbit_server.url)
    web = start_web(environment(rabbit_server.url, redis_server.url, model=MODEL, on_outage="allow"))
    assert web.ask("POST", "/predict/", {"text": "hi"}, prefer="respond-async").status == 202
    rabbit_server.freeze()
    try:
        degraded(web, "broker_unavailable")
    finally:
        rabbit_server.thaw()
