"""Verdicts on every route, with a real worker on both brokers."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sluice.cli.processes import environment as child_environment, sluice
from sluice.harness.process import wait_for
from sluice.harness.service import running
from sluice.harness.web import Web
from sluice.harness.worker import client_app
from tests.conftest import Brokers
from tests.integration.test_archives import as_csv, upload, when

FLAG, BLOCK = 0.6, 0.8
MODEL = f"simulated:?batch_ms=1&flag={FLAG}&block={BLOCK}"
TEXTS = [f"an invented message with the number {number}" for number in range(60)]
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
    with running(tmp_path_factory.mktemp("service"), env) as front:
        yield front


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
        entry = wait_for(partial(first_result, web, location), BEHIND, WAIT_S)
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
