"""Every program in examples/, run as its README says, against a real service."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

import pytest

from examples.gateway_hook import Handler, Hook, Server
from sluice.harness.process import ROOT, Child, free_port, wait_for
from sluice.harness.servers import RedisServer
from sluice.harness.service import running
from sluice.harness.venv import Venv
from sluice.harness.web import Web
from sluice.harness.worker import Worker, environment, flush
from tests.conftest import Brokers

EXAMPLES = ROOT / "examples"
#: It gives every verdict.
MODEL = "simulated:?batch_ms=1&flag=0.6&block=0.8"
#: A message that takes longer than a hook is told to wait.
SLOW = "&slow=SLOWLY&slow_ms=2500"


@pytest.fixture(scope="module")
def web(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    flush(redis_server.url)
    with running(
        tmp_path_factory.mktemp("examples"), environment(redis_server.url, redis_server.url, model=MODEL + SLOW)
    ) as front:
        yield front
    flush(redis_server.url)


@pytest.fixture(scope="module")
def deserted(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server of its own, where no worker is unless a test starts one."""
    server = RedisServer(tmp_path_factory.mktemp("deserted"))
    server.start()
    yield server
    server.stop()


def run(
    name: str, *arguments: str, python: str = sys.executable, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """A program of examples/ to its end, in a process that knows nothing of this checkout."""
    command = [python, "-P", str(EXAMPLES / name), *arguments]
    return subprocess.run(
        command,
        cwd=EXAMPLES,
        env={"HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has Celery and its friends, and no Sluice."""
    python = Venv(tmp_path_factory.mktemp("bare"), lent=True).script("python")
    for name, status in (("celery", 0), ("sluice", 1)):
        done = subprocess.run([python, "-c", f"import {name}"], cwd="/", env={}, capture_output=True, check=False)
        assert done.returncode == status, done.stderr
    return python


def test_a_celery_client_without_sluice_gets_labels_and_errors(
    brokers: Brokers, start_worker: Callable[..., Worker], bare: str
) -> None:
    worker = start_worker(brokers.env(model=MODEL)).ready()
    where = ["--broker", brokers.broker.url, "--backend", brokers.backend.url]
    done = run("celery_client.py", "see you at 8", " ", "WIN a prize", *where, python=bare)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["m1", "m2", "m3"]
    assert lines[0].split()[1] in ("ham", "spam", "phishing")
    assert lines[1] == "m2  invalid_input: text must not be empty or blank"
    worker.stop()
    assert "see you" not in worker.output()


def test_a_celery_client_says_that_nobody_answered(deserted: RedisServer) -> None:
    done = run("celery_client.py", "hello", "--broker", deserted.url, "--timeout", "1")
    assert done.returncode == 1
    assert done.stderr == "no answer within 1 s: is a worker running?\n"


def test_a_requests_client_gets_one_answer_or_a_job_of_many(web: Web) -> None:
    one = run("requests_client.py", "see you at 8", "--url", web.url)
    assert one.returncode == 0, one.stderr
    assert one.stdout.split()[0] in ("ham", "spam", "phishing")
    many = run("requests_client.py", *(f"number {number}" for number in range(300)), " ", "--url", web.url)
    assert many.returncode == 0, many.stderr
    lines = many.stdout.splitlines()
    assert len(lines) == 301
    assert lines[-1].startswith("invalid_input: ")
    refused = run("requests_client.py", " ", "--url", web.url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "must not be empty" in refused.stderr


def test_a_requests_client_waits_for_a_full_service_as_long_as_it_says(
    deserted: RedisServer, folder: Path, start_worker: Callable[..., Worker]
) -> None:
    env = environment(deserted.url, deserted.url, model=MODEL, max_queue_depth=1)
    front = Web(folder, env)
    try:
        wait_for(front.alive, "the web process", 40, 0.1)
        assert front.ask("POST", "/jobs", {"texts": ["one", "two"], "lane": "interactive"}).status == 202
        wait_for(lambda: front.ask("POST", "/predict/", {"text": "three"}).status == 429, "a full queue", 20, 0.2)
        gave_up = run("requests_client.py", "four", "--url", front.url, "--patience", "2")
        assert gave_up.returncode == 1
        assert "status 429 for 2 s" in gave_up.stderr
        waiting = Child(
            [sys.executable, str(EXAMPLES / "requests_client.py"), "five", "--url", front.url], folder / "waits.log"
        )
        time.sleep(1)
        assert waiting.returncode is None
        start_worker(env).ready()
        assert waiting.wait(40) == 0, waiting.output()
        assert waiting.output().split()[0] in ("ham", "spam", "phishing")
    finally:
        front.kill()


@contextmanager
def held_by(hook: Hook) -> Iterator[Callable[[Any], tuple[int, dict[str, Any]]]]:
    """The hook's server; call it to post a body."""
    with make_server("127.0.0.1", free_port(), hook.app, server_class=Server, handler_class=Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def post(body: object) -> tuple[int, dict[str, Any]]:
            request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/", json.dumps(body).encode())
            try:
                with urllib.request.urlopen(request, timeout=30) as reply:
                    return reply.status, json.load(reply)
            except urllib.error.HTTPError as exc:
                return exc.code, json.load(exc)

        yield post
        server.shutdown()


def test_a_hook_does_what_the_verdict_says(web: Web) -> None:
    texts = [f"an invented message with the number {number}" for number in range(40)]
    body = {"texts": texts, "verdict": True}
    wanted = [one["verdict"] for one in web.ask("POST", "/jobs", body, prefer="wait=20").json["results"]]
    assert set(wanted) == {"allow", "flag", "block"}
    with held_by(Hook(web.url)) as post:
        answers = [post({"from": "+999", "text": text}) for text in texts]
    assert {status for status, _ in answers} == {200}
    assert [answer["action"] for _, answer in answers] == [
        {"allow": "deliver", "flag": "flag", "block": "reject"}[one] for one in wanted
    ]
    assert all(answer["checked"] for _, answer in answers)


def test_a_hook_holds_nobody_longer_than_it_was_told_and_fails_open(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    with held_by(Hook(web.url, wait_s=0.5)) as post:
        began = time.monotonic()
        status, answer = post({"text": "SLOWLY and secretly"})
        assert time.monotonic() - began < 2
    assert (status, answer) == (200, {"action": "deliver", "rule": "fail open: no verdict in time", "checked": False})
    with held_by(Hook(f"http://127.0.0.1:{free_port()}")) as post:
        assert post({"text": "hello"})[1] == {"action": "deliver", "rule": "fail open: URLError", "checked": False}
    assert "no verdict in time" in caplog.text
    assert "secretly" not in caplog.text


def test_a_sender_cannot_make_a_hook_fail_open(web: Web) -> None:
    with held_by(Hook(web.url)) as post:
        assert post({"text": "x" * 20_000})[1]["action"] == "flag"
        assert post({"text": "half \ud83d"})[1]["action"] == "flag"
        assert post({"text": " \n"})[1] == {"action": "deliver", "rule": "nothing to read", "checked": False}
        wrong: object
        for wrong in ({}, {"text": 5}, [], "x" * 70_000):
            assert post(wrong)[0] == 400


def test_the_hook_runs_by_itself(web: Web, folder: Path) -> None:
    port = free_port()
    hook = Child(
        [sys.executable, str(EXAMPLES / "gateway_hook.py"), "--port", str(port), "--url", web.url], folder / "hook.log"
    )
    try:
        hook.wait_for_output("holding deliveries", 20)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", b'{"from": "+999", "text": "see you at 8"}')
        with urllib.request.urlopen(request, timeout=20) as reply:
            assert json.load(reply)["checked"]
    finally:
        hook.kill()
