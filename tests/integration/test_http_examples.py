"""Every `curl` of docs/http.md, run as it stands there; every answer shown there, held against the service's own."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluice.harness.process import ROOT, wait_for
from sluice.harness.servers import RedisServer
from sluice.harness.web import Web
from sluice.harness.worker import Worker, environment, flush

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: A shell that complains of what HTTP calls an error.
SHELL = 'curl() { command curl -sS --fail-with-body --max-time 30 "$@"; }\n'
PAGE = (ROOT / "docs" / "http.md").read_text("utf-8")
JOB = {"texts": ["See you at 8?", ""]}
ARCHIVE = b"id,text\n1,See you at 8?\n2,You won! Claim at http://prize.example\n"


@dataclass(frozen=True)
class Example:
    """A command, and what the page shows as its answer, if it does so right behind."""

    command: str
    shown: str | None = None


def examples() -> list[Example]:
    blocks = [(one[1], one[2], PAGE[one.end() :].lstrip()) for one in BLOCK.finditer(PAGE)]
    found = []
    for language, content, rest in blocks:
        if language != "sh":
            continue
        joined = content.replace("\\\n", " ")
        commands = [line for line in joined.splitlines() if line.startswith("curl ")]
        shown = BLOCK.match(rest)
        answer = shown[2] if shown and shown[1] == "json" else None
        found += [Example(one, answer if one is commands[-1] else None) for one in commands]
    return found


@pytest.fixture(scope="module")
def web(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    flush(redis_server.url)
    folder = tmp_path_factory.mktemp("examples")
    env = environment(redis_server.url, redis_server.url, archive_dir=folder / "archives")
    worker = Worker(folder, env)
    front = Web(folder, env)
    try:
        worker.ready()
        yield front.ready()
    finally:
        front.stop()
        worker.stop()
        flush(redis_server.url)


@pytest.fixture(scope="module")
def ids(web: Web, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A finished job, and a finished archive with its report."""
    job = web.ask("POST", "/jobs", JOB, prefer="wait=20").json["id"]
    (tmp_path_factory.getbasetemp() / "archive.csv.gz").write_bytes(gzip.compress(ARCHIVE))
    form = {"shell": True, "cwd": tmp_path_factory.getbasetemp(), "capture_output": True, "timeout": 60, "check": True}
    command = f"curl -sS {web.url}/archives -F file=@archive.csv.gz -F output=parquet -F report=true"
    archive = json.loads(subprocess.run(command, **form).stdout)["id"]  # type: ignore[call-overload]
    wait_for(lambda: web.ask("GET", f"/jobs/{archive}").json["report"], "the report", 60)
    return {"job": job, "archive": archive}


@pytest.mark.parametrize("example", examples(), ids=lambda one: one.command[:60])
def test_the_example_works(web: Web, ids: dict[str, str], tmp_path: Path, example: Example) -> None:
    (tmp_path / "archive.csv.gz").write_bytes(gzip.compress(ARCHIVE))
    wanted = "archive" if "-OJ" in example.command or "/report" in example.command else "job"
    env = {"URL": web.url, "ID": ids[wanted], "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "-c", SHELL + example.command],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if example.shown is not None:
        same_shape(json.loads(example.shown), json.loads(done.stdout), "body")


def test_examples_are_found() -> None:
    found = examples()
    assert len(found) > 12
    assert sum(one.shown is not None for one in found) >= 4


def same_shape(shown: Any, real: Any, where: str) -> None:
    """Fail unless both have the same fields in the same order, and values of like types; null may stand for any."""
    if isinstance(shown, dict) and isinstance(real, dict):
        assert list(shown) == list(real), where
        for name in shown:
            same_shape(shown[name], real[name], f"{where}.{name}")
    elif isinstance(shown, list) and isinstance(real, list):
        for index, (one, other) in enumerate(zip(shown, real, strict=False)):
            same_shape(one, other, f"{where}[{index}]")
    elif shown is not None and real is not None:
        numbers = (int, float)
        assert isinstance(real, numbers if isinstance(shown, numbers) else type(shown)), where


def shown_with(field: str) -> Any:
    """The answer on the page that has a field."""
    answers = [json.loads(one[2]) for one in BLOCK.finditer(PAGE) if one[1] == "json"]
    return next(answer for answer in answers if field in answer)


def test_the_state_of_a_job_and_of_an_archive(web: Web, ids: dict[str, str]) -> None:
    same_shape(shown_with("state"), web.ask("GET", f"/jobs/{ids['job']}").json, "job")
    same_shape(
        {**shown_with("progress"), "labels": {}},
        {**web.ask("GET", f"/jobs/{ids['archive']}").json, "labels": {}},
        "archive",
    )


def test_the_list_has_both(web: Web, ids: dict[str, str]) -> None:
    rows = web.ask("GET", "/jobs?state=done&limit=100").json["jobs"]
    assert set(ids.values()) <= {row["id"] for row in rows}
    same_shape(shown_with("jobs")["jobs"][0], next(row for row in rows if row["id"] == ids["job"]), "list")


def test_an_error_is_as_shown(web: Web) -> None:
    shown = shown_with("detail")
    real = web.ask("POST", "/predict/", {"text": "x" * 5001}).json
    assert {**real["detail"], "timestamp": ""} == {**shown["detail"], "timestamp": ""}


def test_accepted_answers_have_the_headers_that_are_shown(web: Web) -> None:
    for block in BLOCK.finditer(PAGE):
        if block[1] or not block[2].startswith("HTTP/1.1 202"):
            continue
        names = {line.partition(":")[0].lower() for line in block[2].splitlines()[1:]}
        if "preference-applied" in names:
            reply = web.ask("POST", "/predict/", {"text": "hi"}, prefer="wait=0")
        else:
            form = (
                b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + ARCHIVE + b"\r\n--b--"
            )
            reply = web.ask("POST", "/archives", form, Content_Type="multipart/form-data; boundary=b")
        assert reply.status == 202
        assert names <= set(reply.headers)
