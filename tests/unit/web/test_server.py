"""The WSGI server as it is run: bodies without a length, and SIGTERM with requests under way."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.harness.process import Child, free_port, wait_for
from sluice.web.tcp_keepalive import IDLE_S

SERVE = "from sluice.config.settings import current; from sluice.web.server import serve; serve(current())"


class Server:
    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.port = port

    def exchange(self, *parts: bytes, timeout_s: float = 20) -> tuple[int, bytes]:
        """Send a raw request; returns the status and everything that came."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except OSError:
                pass  # refused early: the answer is there already
            received = b""
            while not received.endswith(b"}"):
                more = connection.recv(65536)
                if not more:
                    break
                received += more
        return int(received.split(b" ", 2)[1]), received

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5):
                return True
        except OSError:
            return False


@pytest.fixture
def server(redis_url: str, tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    env = {
        "SLUICE_BROKER_URL": f"{redis_url}?virtual_host=15",
        "SLUICE_PORT": str(port),
        "SLUICE_WEB_THREADS": "8",
        "SLUICE_MAX_BODY_BYTES": "100000",
    }
    child = Child([sys.executable, "-c", SERVE], tmp_path / "log", env)
    running = Server(child, port)
    wait_for(running.healthy, "the server", 30, 0.05)
    yield running
    child.stop()
    assert "Traceback" not in child.output()


def request(*headers: str, body: bytes = b"") -> bytes:
    lines = ["POST /predict/ HTTP/1.1", "Host: x", "Content-Type: application/json", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_bodies_over_the_limit_are_refused(server: Server) -> None:
    status, _ = server.exchange(request("Content-Length: 10000000"), *[b" " * 1_000_000] * 10)
    assert status == 413
    status, _ = server.exchange(request("Content-Length: 1000000000"))
    assert status == 413
    status, _ = server.exchange(request("Content-Length: 10000000", "Expect: 100-continue"))
    assert status == 413
    chunk = b"4e20\r\n" + b" " * 20_000 + b"\r\n"
    status, answer = server.exchange(request("Transfer-Encoding: chunked"), *[chunk] * 6, b"0\r\n\r\n")
    assert status == 413
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["detail"]["details"]["limit"] == 100_000
    status, _ = server.exchange(
        request("Transfer-Encoding: chunked", "Prefer: wait=0"), b'd\r\n{"text":"hi"}\r\n0\r\n\r\n'
    )
    assert status == 202


def test_sigterm_answers_every_request_under_way(server: Server) -> None:
    body = b'{"text":"hi"}'
    statuses: list[int] = []

    def ask(wait_s: int) -> None:
        status, _ = server.exchange(request(f"Prefer: wait={wait_s}", f"Content-Length: {len(body)}", body=body))
        statuses.append(status)

    threads = [threading.Thread(target=ask, args=(wait_s,)) for wait_s in (1, 60, 60)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    started = time.monotonic()
    server.child.send(signal.SIGTERM)
    for thread in threads:
        thread.join(20)
    assert statuses == [202, 202, 202]
    assert server.child.wait(15) == 0
    assert time.monotonic() - started < 10


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's list of connections")
def test_the_kernel_asks_after_clients_that_keep_silent(server: Server) -> None:
    def timer() -> float | None:
        """Seconds that the kernel waits before it asks after a new connection."""
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            pair = [f"0100007F:{server.port:04X}", f"0100007F:{connection.getsockname()[1]:04X}"]
            for line in Path("/proc/net/tcp").read_text().splitlines():
                fields = line.split()
                if fields[1:3] == pair and fields[5].startswith("02:"):
                    return int(fields[5][3:], 16) / os.sysconf("SC_CLK_TCK")
        return None

    assert wait_for(timer, "a keepalive timer") <= IDLE_S
