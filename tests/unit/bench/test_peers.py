"""The peers answer as Sluice does, the comparison compares like with like, and nothing of them is left running."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest

from sluice.bench.client import Load
from sluice.bench.peers.comparison import ratios
from sluice.bench.peers.contenders import CONTENDERS, serving
from sluice.bench.peers.measurement import choose, settings_for
from sluice.bench.peers.process import Process, descendants, started
from sluice.bench.peers.together import Together
from sluice.bench.service import SIMULATED, Servers
from sluice.harness.process import wait_for
from sluice.harness.web import Reply, exchange
from sluice.worker.model.simulated import SimulatedClassifier

TEXTS = [f"Message {number}: your parcel is at the door" for number in range(12)]
PEERS = [key for key, contender in CONTENDERS.items() if not contender.ours]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with Servers("redis") as running:
        yield running


@pytest.mark.parametrize("key", PEERS)
def test_a_peer_answers_what_the_model_says(key: str, servers: Servers) -> None:
    contender = CONTENDERS[key]
    if contender.missing:
        pytest.skip(f"NOT TESTED: {', '.join(contender.missing)} not installed (pip install -e '.[bench,peers]')")
    with serving(contender, servers, settings_for(contender, {"model": SIMULATED}, False)) as url:
        with ThreadPoolExecutor(len(TEXTS)) as pool:
            replies = list(pool.map(lambda text: ask(url, {"text": text}), TEXTS))
        refused = [ask(url, body).status for body in ({"text": " "}, {"words": "x"}, {"text": 7})]
    model = SimulatedClassifier()
    for reply, row in zip(replies, model.forward(model.encode(TEXTS)), strict=True):
        assert reply.status == 200
        answer = reply.json
        assert answer["label"] == model.labels[row.index(max(row))]
        assert answer["probability"] == pytest.approx(max(row))
    assert all(400 <= status < 500 for status in refused), refused


def ask(url: str, body: Any) -> Reply:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        return exchange(connection, "POST", "/predict/", body)
    finally:
        connection.close()


def test_stopping_a_process_ends_the_children_that_it_leaves_behind(tmp_path: Path) -> None:
    code = "import subprocess, time; subprocess.Popen(['sleep', '300']); print('started', flush=True); time.sleep(300)"
    process = Process([sys.executable, "-c", code], tmp_path / "log")
    process.wait_for_output("started")
    children = descendants(process.pid)
    assert len(children) == 1
    process.stop()
    wait_for(lambda: started(children[0]) is None, "the child's end", 5)


def test_ratios_pair_loads_of_the_same_run_with_as_many_messages_under_way() -> None:
    def row(run: int, key: str, load: str, in_flight: int, rate: float) -> dict[str, Any]:
        columns = {"run": run, "key": key, "contender": key, "load": load}
        return {**columns, "connections": 1, "in_flight": in_flight, "messages_per_s": rate}

    rows = [
        row(run, key, load, in_flight, rate * run)
        for run in (1, 2, 3)
        for key, load, in_flight, rate in (
            ("sluice", "one text", 1, 10),
            ("sluice", "64 texts", 64, 90),
            ("mosec", "one text", 1, 5),
            ("mosec", "one text", 64, 30),
            ("mosec", "64 texts", 64, 45),
        )
    ]
    rows.append(row(4, "mosec", "one text", 1, 1.0))
    found = {(line["sluice"], line["with"], line["in_flight"]): (line["ratio"], line["runs"]) for line in ratios(rows)}
    assert found == {
        ("one text", "one text", 1): (2.0, 3),
        ("64 texts", "one text", 64): (3.0, 3),
        ("64 texts", "64 texts", 64): (2.0, 3),
    }


def test_peers_run_as_their_users_would_and_all_in_the_same_precision() -> None:
    ours, theirs = CONTENDERS["sluice"], CONTENDERS["fastapi"]
    assert settings_for(ours, {"model": "m"}, False) == {"model": "m", "precision": "fp32"}
    assert settings_for(theirs, {"model": "m"}, False) == {"model": "m", "precision": "fp32", "packed": False}
    assert settings_for(theirs, {"model": "m"}, True)["packed"] is True


def test_an_unknown_or_absent_contender_is_named() -> None:
    with pytest.raises(click.ClickException, match="no such contender: nobody"):
        choose(["sluice", "nobody"])
    absent = [key for key in PEERS if CONTENDERS[key].missing]
    if absent:
        with pytest.raises(click.ClickException, match=CONTENDERS[absent[0]].missing[0]):
            choose(absent)


def test_a_caller_with_several_texts_goes_on_when_all_are_answered() -> None:
    size, callers, rounds = 4, 2, 3
    waiting: list[asyncio.StreamWriter] = []
    early: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (line := await reader.readline()).strip():
                if line.lower().startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            await reader.readexactly(length)
            waiting.append(writer)

    async def answer_all_but_one_first() -> None:
        """A caller whose last answer is late must send nothing before it comes."""
        for _ in range(rounds):
            while len(waiting) < size * callers:
                await asyncio.sleep(0.001)
            held, last = list(waiting), waiting[0]
            waiting.clear()
            for writer in held[1:]:
                reply(writer)
            await asyncio.sleep(0.03)
            early.append(len(waiting))
            reply(last)

    def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"label":"x"}')

    async def scenario() -> int:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        load = Load(f"http://127.0.0.1:{port}/predict/", TEXTS, size * callers, requests=rounds, warm_up_s=0)
        answering = asyncio.create_task(answer_all_but_one_first())
        result = await Together(load, size).run()
        await answering
        server.close()
        return len(result.answered)

    assert asyncio.run(asyncio.wait_for(scenario(), 20)) == size * callers * rounds
    assert early == [size, size, 0]  # the other caller goes on, the one that still waits does not
