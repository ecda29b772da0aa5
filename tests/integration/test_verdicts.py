"""Verdicts on every route, with real workers on both brokers; and what is answered while there are none."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sluice.cli.processes import environment as child_environment, sluice
from sluice.config.settings import read
from sluice.tasks.errors import ModelUnavailable
from sluice.worker.capacity import load_classifier
from tests.conftest import Brokers, drop_queues
from tests.harness.process import wait_for
from tests.harness.servers import RabbitServer, RedisServer
from tests.harness.web import Web
from tests.harness.worker import Worker, client_app, environment, flush
from tests.integration.test_archives import as_csv, upload, when
from tests.unit.model.conftest import save_model

FLAG, BLOCK = 0.6, 0.8
MODEL = f"simulated:?batch_ms=1&flag={FLAG}&block={BLOCK}"
TEXTS = [f"an invented message, number {number}" for number in range(60)]
BEHIND = "the result of a message"
WAIT_S = 20


def expected(scores: dict[str, float]) -> tuple[str, str]:
    """What follows from scores for these thresholds, of which one score at most reaches any."""
    label, score = max(((label, scores[label]) for label in ("spam", "phishing")), key=lambda pair: pair[1])
    if score >= BLOCK:
        return "block", f"{label} >= {BLOCK}"
    if score >= FLAG:
        return "flag", f"{label} >= {FLAG}"
    return "allow", f"spam < {FLAG} and phishing < {FLAG}"


def judged(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["verdict"], entry["rule"]


@pytest.fixture(scope="module")
def env(brokers: Brokers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return brokers.env(model=MODEL, archive_dir=tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def web(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("service")
    worker, front = Worker(folder, env), Web(folder, env)
    try:
        worker.ready()
        yield front.ready()
    finally:
        status = front.stop(), worker.stop()
    assert status == (0, 0), front.output() + worker.output()


@pytest.fixture(scope="module")
def known(web: Web) -> dict[str, tuple[str, str]]:
    """The verdict and rule of each text, as they follow from its scores; each verdict is among them."""
    job = web.ask("POST", "/jobs", {"texts": TEXTS, "scores": True, "verdict": True}, prefer="wait=20").json
    entries = job["results"]
    assert all(entry["label"] == max(entry["scores"], key=entry["scores"].get) for entry in entries)
    found = {text: expected(entry["scores"]) for text, entry in zip(TEXTS, entries, strict=True)}
    assert [judged(entry) for entry in entries] == list(found.values())
    assert {verdict for verdict, _ in found.values()} == {"allow", "flag", "block"}
    return found


def test_predict_gives_it_to_those_who_ask(web: Web, known: dict[str, tuple[str, str]]) -> None:
    def ask(number: int) -> dict[str, Any]:
        body = {"text": TEXTS[number], "verdict": number % 2 == 0, "scores": number % 3 == 0}
        answer: dict[str, Any] = web.ask("POST", "/predict/", body).json
        return answer

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(len(TEXTS))))
    for number, answer in enumerate(answers):
        assert ("scores" in answer) is (number % 3 == 0)
        if number % 2:
            assert not {"verdict", "rule"} & set(answer)
        else:
            assert judged(answer) == known[TEXTS[number]]


def test_it_is_there_later_too(web: Web, known: dict[str, tuple[str, str]]) -> None:
    for wanted in (True, False):
        body = {"text": TEXTS[3], "verdict": wanted}
        location = web.ask("POST", "/predict/", body, prefer="respond-async").headers["location"]
        entry = wait_for(lambda at=location: first_result(web, at), BEHIND, WAIT_S)  # type: ignore[misc]
        assert ("verdict" in entry) is wanted
        assert not wanted or judged(entry) == known[TEXTS[3]]


def first_result(web: Web, location: str) -> Any:
    results = web.ask("GET", f"{location}/results").json["results"]
    return results[0] if results else None


def test_jobs_give_it_in_json_and_ndjson(web: Web, known: dict[str, tuple[str, str]]) -> None:
    texts = [*TEXTS[:5], ""]
    job = web.ask("POST", "/jobs", {"texts": texts, "verdict": True}, prefer="wait=20").json
    assert [judged(entry) for entry in job["results"][:5]] == [known[text] for text in texts[:5]]
    assert set(job["results"][5]) == {"id", "error"}
    assert "scores" not in job["results"][0]
    lines = web.ask("GET", f"/jobs/{job['id']}/results", accept="application/x-ndjson").body.decode().splitlines()
    assert [json.loads(line) for line in lines] == job["results"]
    plain = web.ask("POST", "/jobs", {"texts": texts}, prefer="wait=20").json
    assert all("verdict" not in entry for entry in plain["results"])


def test_the_same_key_asks_for_the_same_verdicts(web: Web) -> None:
    def submit(**more: Any) -> Any:
        return web.ask("POST", "/jobs", {"texts": ["hi"], **more}, idempotency_key="verdicts")

    first = submit()
    assert submit(verdict=False, scores=False).headers["location"] == first.headers["location"]
    assert submit(verdict=True).status == 409


def test_archives_have_two_more_columns(web: Web, known: dict[str, tuple[str, str]]) -> None:
    # Texts that come again are answered from the archive's own store.
    texts = [*TEXTS, *TEXTS[:10], " "]
    table = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    reply = upload(web, as_csv(table), verdict="true", scores="true")
    when(web, reply, "done")
    content = web.ask("GET", f"{reply.headers['location']}/results").body.decode()
    rows = list(csv.DictReader(io.StringIO(content)))
    scores = [f"score_{label}" for label in ("ham", "spam", "phishing")]
    assert list(rows[0])[2:] == ["label", "probability", *scores, "verdict", "rule", "model", "version", "error"]
    assert [judged(row) for row in rows[:-1]] == [known[text] for text in texts[:-1]]
    assert judged(rows[-1]) == ("", "")
    # Whoever has the file comes to the same verdicts.
    again = [expected({name.removeprefix("score_"): float(row[name]) for name in scores}) for row in rows[:-1]]
    assert again == [judged(row) for row in rows[:-1]]


def test_celery_clients_ask_by_keyword(web: Web, env: dict[str, str], known: dict[str, tuple[str, str]]) -> None:
    task = client_app(env).tasks["tasks.classify"]
    entry = task.delay(TEXTS[0], verdict=True).get(timeout=WAIT_S)
    assert judged(entry) == known[TEXTS[0]]
    entries = task.delay([*TEXTS[:3], ""], verdict=True, scores=True).get(timeout=WAIT_S)
    assert [judged(entry) for entry in entries[:3]] == [known[text] for text in TEXTS[:3]]
    assert "scores" in entries[0]
    assert "verdict" not in task.delay(TEXTS[0]).get(timeout=WAIT_S)
    with pytest.raises(Exception, match="verdict must be true or false"):
        task.delay(TEXTS[0], verdict="yes").get(timeout=WAIT_S)


def run(env: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    whole = child_environment(**env)
    return subprocess.run(
        sluice(*arguments), env=whole, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_commands_give_it_through_the_workers(
    web: Web, env: dict[str, str], folder: Path, known: dict[str, tuple[str, str]]
) -> None:
    said = run(env, folder, "predict", "--json", "--verdict", *TEXTS[:4])
    assert said.returncode == 0, said.stderr
    assert [judged(json.loads(line)) for line in said.stdout.splitlines()] == [known[text] for text in TEXTS[:4]]
    (line,) = run(env, folder, "predict", "--verdict", TEXTS[0]).stdout.splitlines()
    verdict, rule = known[TEXTS[0]]
    assert f"{verdict:<5} ({rule})" in line
    (folder / "in.txt").write_text("\n".join(TEXTS))
    done = run(env, folder, "backfill", "in.txt", "-o", "out.jsonl", "--verdict")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(one) for one in (folder / "out.jsonl").read_text().splitlines()]
    assert [judged(row) for row in rows] == list(known.values())


def test_stats_show_what_is_in_force(web: Web) -> None:
    stats = web.ask("GET", "/stats").json
    limits = {"flag": FLAG, "block": BLOCK}
    assert stats["workers"][0]["verdicts"] == {"policy": "model", "thresholds": {"spam": limits, "phishing": limits}}
    assert stats["degraded"] == {}


# A worker with settings of its own


@pytest.fixture
def fresh(brokers: Brokers) -> Callable[..., dict[str, str]]:
    """Settings on a broker that is empty."""
    flush(brokers.backend.url)
    if brokers.kind == "rabbitmq":
        drop_queues(brokers.broker.url)
    return lambda **settings: brokers.env(**{"model": MODEL, **settings})


@pytest.fixture
def start_web(folder: Path) -> Iterator[Callable[[dict[str, str]], Web]]:
    started: list[Web] = []

    def start(env: dict[str, str]) -> Web:
        web = Web(folder, env)
        started.append(web)
        wait_for(lambda: alive(web), "the web process", 40)
        return web

    yield start
    for web in started:
        web.stop()


def alive(web: Web) -> bool:
    try:
        return web.ask("GET", "/healthz").status == 200
    except OSError:
        return False


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


# No verdict in time


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
