"""``sluice up`` as an operator runs it: started, stopped, killed, and with a part that fails."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from sluice.cli.demo.service import free_ports
from sluice.cli.processes import environment, sluice
from sluice.harness.process import Child, wait_for
from tests.unit.cli.conftest import MODEL, Run, children, wait_until_gone

pytestmark = pytest.mark.server


@pytest.fixture
def ports() -> dict[str, str]:
    web, flower = free_ports(2)
    return {"SLUICE_PORT": str(web), "SLUICE_FLOWER_PORT": str(flower)}


@contextlib.contextmanager
def started(state_dir: Path, tmp_path: Path, ports: dict[str, str], *options: str) -> Iterator[Child]:
    env = environment(SLUICE_STATE_DIR=str(state_dir), SLUICE_MODEL=MODEL, **ports)
    child = Child(sluice("up", *options), tmp_path / "up.log", env)
    try:
        yield child
    finally:
        child.stop()


def ask(port: str, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", int(port), timeout=10)
    connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_from_start_to_a_clean_stop(state_dir: Path, tmp_path: Path, ports: dict[str, str]) -> None:
    with started(state_dir, tmp_path, ports) as up:
        up.wait_for_output("sluice |   Ctrl-C stops all")
        for part in ("embedded Redis in", f"http://127.0.0.1:{ports['SLUICE_PORT']}/"):
            assert part in up.output()
        status, answer = ask(ports["SLUICE_PORT"], "POST", "/predict/", {"text": "hello"})
        assert status == 200
        assert json.loads(answer)["label"] in ("ham", "spam", "phishing")
        assert ask(ports["SLUICE_FLOWER_PORT"], "GET", "/healthcheck")[0] == 200
        assert ask(ports["SLUICE_FLOWER_PORT"], "GET", "/api/workers")[0] == 401
        below = children(up.pid)
        assert len(below) >= 4  # Redis, worker, web, Flower
        assert up.stop(signal.SIGINT) == 0
        wait_until_gone(below)
    assert "sluice | stopping" in up.output()
    assert up.output().endswith("sluice | stopped\n")
    assert f"redis+socket://{state_dir}/redis.sock" in up.output()
    assert "was killed" not in up.output()
    assert "Traceback" not in up.output()
    assert "hello" not in up.output()


def test_no_orphans_when_it_is_killed(state_dir: Path, tmp_path: Path, ports: dict[str, str]) -> None:
    with started(state_dir, tmp_path, ports) as up:
        up.wait_for_output("sluice |   Ctrl-C stops all")
        below = children(up.pid)
        os.kill(up.pid, signal.SIGKILL)
        wait_until_gone(below)


def test_the_second_service_goes_on_when_the_first_and_its_redis_stop(state_dir: Path, tmp_path: Path) -> None:
    (web, other), nobody = free_ports(2), tmp_path / "first"
    nobody.mkdir()
    with started(state_dir, nobody, {"SLUICE_PORT": str(web)}, "--no-flower", "--no-worker") as first:
        first.wait_for_output("sluice |   Ctrl-C stops all")
        with started(state_dir, tmp_path, {"SLUICE_PORT": str(other)}, "--no-flower") as second:
            second.wait_for_output("sluice |   Ctrl-C stops all")
            assert "using the Redis that runs in" in second.output()
            _, job = ask(str(other), "POST", "/jobs", {"texts": ["hello"]})
            assert first.stop(signal.SIGINT) == 0
            second.wait_for_output("embedded Redis in")
            wait_for(lambda: ask(str(other), "POST", "/predict/", {"text": "hello"})[0] == 200, "an answer", 40, 0.2)
            place = f"/jobs/{json.loads(job)['id']}"
            wait_for(lambda: json.loads(ask(str(other), "GET", place)[1])["state"] == "done", "the job", 40, 0.2)


def test_a_part_that_fails_stops_the_rest(run: Run, ports: dict[str, str]) -> None:
    done = run("up", "--no-flower", SLUICE_MODEL="./no-such-model", **ports)
    assert done.returncode == 1
    assert "worker | " in done.stdout
    assert "SLUICE_MODEL" in done.stdout
    assert re.search(r"sluice \| worker stopped with exit status [1-9]\d*; stopping the rest", done.stdout)


def test_a_taken_port_is_named_before_anything_starts(run: Run, ports: dict[str, str], state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", int(ports["SLUICE_FLOWER_PORT"]))):
        done = run("up", **ports)
    assert done.returncode == 1
    assert done.stderr.startswith(f"sluice: cannot listen on 127.0.0.1:{ports['SLUICE_FLOWER_PORT']}")
    assert "set SLUICE_FLOWER_PORT" in done.stderr
    assert not list(state_dir.iterdir())
