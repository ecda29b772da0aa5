"""Which WSGI server should carry the web front end? ``python -m sluice.bench.wsgi``.

Every contender serves the real app, on a private Redis, to a real worker whose model sleeps like an accelerator.
Contenders take turns within each round, so that whatever else the machine does falls on all of them; a cell is the
median of the rounds. Needs ``wrk``, ``redis-server``, gunicorn and gevent.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sluice.harness.process import ROOT, free_port

CONNECTIONS = (1, 64, 256)
MODEL = "simulated:?batch_ms=3&message_us=20"
BODY = r"{\"text\":\"Your parcel is held at customs, pay the fee at http://post.example/a1\"}"
LUA = f'wrk.method="POST"; wrk.body="{BODY}"; wrk.headers["Content-Type"]="application/json"\n'


@dataclass(frozen=True)
class Contender:
    """A server and how to start it; ``{port}`` and ``{threads}`` are filled in."""

    name: str
    command: str


GUNICORN = "-m gunicorn -w 1 -b 127.0.0.1:{port} --keep-alive 60 --log-level warning"
CONTENDERS = (
    Contender("gunicorn gthread", GUNICORN + " -k gthread --threads {threads} web:create_app()"),
    Contender("gunicorn gevent", GUNICORN + " -k gevent --worker-connections 1000 web:create_app()"),
    Contender("granian", "-m cli.main web"),
    Contender("granian, no web/routes/hot.py", "-m bench.variants no-hot-route"),
    Contender("granian, unpaced", "-m bench.variants no-pacing"),
)


@dataclass(frozen=True)
class Cell:
    """One run of wrk."""

    rate: float
    p50_ms: float
    p99_ms: float
    errors: int


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="sl-") as folder, _service(Path(folder)) as env:
        cells = measure(Path(folder), env, options.seconds, options.rounds, options.threads)
    print(table(cells))
    return 0


def measure(
    folder: Path, env: dict[str, str], seconds: int, rounds: int, threads: int
) -> dict[tuple[str, int], list[Cell]]:
    """Run every contender at every number of connections, ``rounds`` times, taking turns."""
    script = folder / "post.lua"
    script.write_text(LUA)
    env = {**env, "SLUICE_WEB_THREADS": str(threads)}
    cells: dict[tuple[str, int], list[Cell]] = {}
    for number in range(1, rounds + 1):
        for contender in CONTENDERS:
            port = env["SLUICE_PORT"]
            command = contender.command.format(port=port, threads=threads)
            with _running([sys.executable, *command.split()], env, folder / "web.log"):
                _wait_until_ready(port)
                for connections in CONNECTIONS:
                    cell = _wrk(port, connections, seconds, script)
                    cells.setdefault((contender.name, connections), []).append(cell)
                    print(f"round {number}  {contender.name:28} {connections:4}  {cell}", file=sys.stderr)
    return cells


def table(cells: dict[tuple[str, int], list[Cell]]) -> str:
    """The medians as a Markdown table: requests per second (p99 in ms)."""
    lines = [
        "| server | " + " | ".join(f"{n} connection{'s' * (n > 1)}" for n in CONNECTIONS) + " | errors |",
        "|---" * (len(CONNECTIONS) + 2) + "|",
    ]
    for contender in CONTENDERS:
        row = [cells[contender.name, n] for n in CONNECTIONS]
        shown = [
            f"{statistics.median(c.rate for c in one):,.0f} ({statistics.median(c.p99_ms for c in one):.0f} ms)"
            for one in row
        ]
        errors = sum(cell.errors for one in row for cell in one)
        lines.append(f"| {contender.name} | " + " | ".join(shown) + f" | {errors} |")
    return "\n".join(lines)


@contextmanager
def _service(folder: Path) -> Iterator[dict[str, str]]:
    """A private Redis and a worker with the simulated model; gives the environment that finds them."""
    socket = folder / "r.sock"
    env = {
        **os.environ,
        "SLUICE_BROKER_URL": f"redis+socket://{socket}",
        "SLUICE_MODEL": MODEL,
        "SLUICE_PORT": str(free_port()),
    }
    server = [shutil.which("redis-server") or "redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""]
    with (
        _running(server, env, folder / "redis.log"),
        _running([sys.executable, "-m", "sluice.cli", "worker"], env, folder / "worker.log"),
    ):
        yield env


@contextmanager
def _running(command: list[str], env: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(port: str, timeout_s: float = 60) -> None:
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing became ready within {timeout_s:g} s")


def _wrk(port: str, connections: int, seconds: int, script: Path) -> Cell:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", str(script)]
    done = subprocess.run([*command, f"http://127.0.0.1:{port}/predict/"], capture_output=True, text=True, check=True)
    out = done.stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    errors = int(refused[1]) if refused else 0
    errors += sum(map(int, broken.groups())) if broken else 0
    return Cell(_number(r"Requests/sec:\s+([\d.]+)", out), _latency("50%", out), _latency("99%", out), errors)


def _latency(name: str, out: str) -> float:
    found = re.search(rf"{re.escape(name)}\s+([\d.]+)(us|ms|s)", out)
    assert found is not None, out
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def _number(pattern: str, out: str) -> float:
    found = re.search(pattern, out)
    assert found is not None, out
    return float(found[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sluice.bench.wsgi", description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each run of wrk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=256, help="SLUICE_WEB_THREADS; gevent needs none")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
