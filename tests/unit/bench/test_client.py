"""The load client against a tiny server that can answer, stall, refuse, hang up and count."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest

from sluice.bench.client import Load, LoadFailed, Measured, measure, warm
from sluice.bench.loops import LATE_S, Requests, arrivals, run_here

TEXTS = ["first", 'with "quotes" and \\', "third, žluťoučký 😀"]
LABELS = b'"label"'


@dataclass
class Server:
    """Answers in order. What it does is up to its attributes; what it saw is in ``bodies``."""

    status: str = "200 OK"
    label: bytes = LABELS
    chunked: bool = False
    hang_up_after: int = 0
    stalls: tuple[tuple[int, float], ...] = ()
    """From this request on, no answer for so many seconds."""
    silent_from: int | None = None
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    resumes_at: float = 0.0

    def answer(self, messages: int) -> bytes:
        body = b"[" + b",".join([b"{%b:1}" % self.label] * messages) + b"]"
        head = f"HTTP/1.1 {self.status}\r\nContent-Type: application/json\r\n".encode()
        if self.chunked:
            return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        return head + b"content-length: %d\r\n\r\n%b" % (len(body), body)


class Peer(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.server.connections += 1

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(rest) < length:
            return
        self.buffer = b""
        server, loop = self.server, asyncio.get_running_loop()
        server.bodies.append(rest)
        count = len(server.bodies)
        for number, seconds in server.stalls:
            if count == number:
                server.resumes_at = loop.time() + seconds
        if server.silent_from is not None and count >= server.silent_from:
            return
        if server.hang_up_after and count % server.hang_up_after == 0:
            self.transport.close()
            return
        wait = max(0.0, server.resumes_at - loop.time())
        texts = json.loads(rest).get("texts", [""])
        loop.call_later(wait, self.transport.write, server.answer(len(texts)))


@pytest.fixture
def server() -> Iterator[Server]:
    """Serves in a thread of its own."""
    served, ready = Server(), threading.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        listener = await loop.create_server(lambda: Peer(served), "127.0.0.1", 0)
        served.port = listener.sockets[0].getsockname()[1]

    def main() -> None:
        loop.run_until_complete(serve())
        loop.call_soon(ready.set)  # from inside: a stop before it runs for good would be lost
        loop.run_forever()

    thread = threading.Thread(target=main)
    thread.start()
    assert ready.wait(10)
    yield served
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def load(server: Server, **options: Any) -> Load:
    options = {"warm_up_s": 0, "texts": TEXTS, "timeout_s": 5, **options}
    return Load(f"http://127.0.0.1:{server.port}/predict/", **options)


def test_a_closed_loop_sends_what_was_asked_for_and_every_text_is_different(server: Server) -> None:
    measured = run_here(load(server, connections=4, requests=25))
    assert len(measured.answered) == 100
    assert measured.errors == {}
    assert server.connections == 4
    texts = [json.loads(body)["text"] for body in server.bodies]
    assert len(set(texts)) == 100
    assert set(TEXTS) <= set(texts), "as they are, before any is made different"
    assert all(text.endswith(tuple(TEXTS)) for text in texts)
    assert (measured.latency_s > 0).all()
    assert measured.requests_per_s == pytest.approx(100 / measured.seconds)
    assert set(measured.length) <= {len(text) for text in TEXTS}


def test_a_closed_loop_for_some_seconds_leaves_the_warm_up_out(server: Server) -> None:
    measured = run_here(load(server, connections=2, seconds=0.3, warm_up_s=0.2))
    assert measured.seconds == 0.3
    assert 0 < len(measured.answered) < len(server.bodies)
    assert measured.answered.min() >= 0.2
    assert measured.answered.max() <= 0.5


def test_jobs_carry_many_texts_and_must_bring_as_many_labels(server: Server) -> None:
    measured = run_here(load(server, connections=1, requests=3, messages=64, headers=(("Prefer", "wait=9"),)))
    assert len(measured.answered) == 3
    assert measured.messages_per_s == pytest.approx(3 * 64 / measured.seconds)
    texts = [text for body in server.bodies for text in json.loads(body)["texts"]]
    assert len(set(texts)) == 3 * 64


def test_an_open_loop_sends_each_request_once(server: Server) -> None:
    measured = run_here(load(server, connections=50, seconds=0.5, rate=200))
    assert len(measured.answered) == len(server.bodies) == 100
    assert measured.errors == {}
    assert measured.requests_per_s == 200
    assert (measured.sent >= measured.due).all()
    assert measured.late == (measured.sent - measured.due > LATE_S).sum()


def test_the_open_loop_counts_from_when_a_request_was_due(server: Server) -> None:
    """One connection and a server that stalls: requests that the stall keeps from being sent feel it too."""
    stall = 0.4
    server.stalls = ((20, stall),)
    measured = run_here(load(server, connections=1, seconds=0.5, rate=200))
    assert len(measured.answered) == 100
    waited = (measured.answered - measured.sent) > stall / 2
    felt = measured.latency_s > stall / 2
    assert felt.sum() > 20 > waited.sum() > 0, "a client that omits would report one slow request"
    assert measured.late > 20


def test_an_open_loop_grows_its_connections_up_to_the_limit(server: Server) -> None:
    server.stalls = ((1, 0.3),)
    measured = run_here(load(server, connections=40, seconds=0.2, rate=500))
    assert len(measured.answered) == 100
    assert 32 < server.connections <= 40


def test_a_burst_reports_the_time_until_the_last_answer(server: Server) -> None:
    server.stalls = ((50, 0.5),)
    measured = run_here(load(server, connections=200, seconds=0.3, rate=300))
    assert len(measured.answered) == 90
    assert measured.clear_s == pytest.approx(measured.answered.max() - 0.3)
    assert measured.clear_s > 0.1


@pytest.mark.parametrize("rate", [None, 100.0])
def test_errors_are_counted_by_kind(server: Server, rate: float | None) -> None:
    server.status = "503 Service Unavailable"
    how: dict[str, Any] = {"seconds": 0.2, "rate": rate} if rate else {"requests": 5}
    measured = run_here(load(server, connections=4, **how))
    assert measured.errors == {"status 503": 20}
    assert len(measured.answered) == 0


def test_an_answer_without_a_label_is_an_error(server: Server) -> None:
    server.label = b'"lable"'
    assert run_here(load(server, requests=3)).errors == {"no label": 3}
    assert len(run_here(load(server, requests=3, expect="")).answered) == 3


def test_connections_that_the_server_closes_are_replaced(server: Server) -> None:
    server.hang_up_after = 5
    measured = run_here(load(server, connections=2, requests=20))
    assert measured.errors == {"closed by the server": 8}
    assert len(measured.answered) == 32
    assert server.connections > 2


@pytest.mark.parametrize("rate", [None, 100.0])
def test_what_is_never_answered_times_out(server: Server, rate: float | None) -> None:
    server.silent_from = 11
    how: dict[str, Any] = {"rate": rate} if rate else {}
    measured = run_here(load(server, connections=2, seconds=0.2, timeout_s=0.3, **how))
    assert len(measured.answered) == 10
    assert measured.errors["timeout"] == 2
    assert measured.errors.get("never sent", 0) == (8 if rate else 0)


def test_a_chunked_answer_is_read_to_its_end(server: Server) -> None:
    server.chunked = True
    assert len(run_here(load(server, connections=2, requests=5)).answered) == 10


def test_the_client_runs_in_a_process_of_its_own(server: Server) -> None:
    measured = measure(load(server, connections=3, requests=10))
    assert isinstance(measured, Measured)
    assert len(measured.answered) == len(measured.length) == 30
    row = measured.row()
    assert row["requests"] == 30
    assert row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"] <= row["max_ms"]
    assert row["errors"] == 0


def test_a_service_that_is_not_there() -> None:
    nowhere = Load("http://127.0.0.1:1/predict/", TEXTS, connections=2, requests=1, warm_up_s=0)
    assert run_here(nowhere).errors == {"no connection": 2}
    with pytest.raises(LoadFailed, match="nothing was answered"):
        warm(nowhere)


@pytest.mark.parametrize(
    "wrong", [{}, {"rate": 5.0}, {"seconds": 1.0, "requests": 1}, {"requests": 1, "connections": 0}]
)
def test_loads_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"loop|connection"):
        Load("http://127.0.0.1:1/", TEXTS, **wrong)


def test_arrivals_are_a_poisson_process() -> None:
    times = arrivals(rate=1000, seconds=20, seed=3)
    gaps = np.diff(times)
    assert len(times) == 20_000
    assert (gaps >= 0).all()
    assert times.max() < 20
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=0.05), "exponential gaps"
    assert not np.array_equal(times, arrivals(1000, 20, seed=4))


def test_requests_are_correct_http(server: Server) -> None:
    requests = Requests(load(server, requests=1, headers=(("X-API-Key", "k"),)))
    payload, length = requests.next()
    head, _, body = payload.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /predict/ HTTP/1.1"
    assert f"Content-Length: {len(body)}" in lines
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "X-API-Key: k" in lines
    assert length == len(TEXTS[0])
