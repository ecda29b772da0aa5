"""How fast is the load client itself? ``python -m sluice.bench.ceiling``.

A server of its own process answers every request with a constant; our client and wrk (if it is installed) take turns at
loading it. What a service reaches must stay well below this, or the client is what was measured.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import cast

from sluice.bench.client import Load, measure
from sluice.bench.results import print_table
from sluice.bench.statistics import Row, summarise
from sluice.harness.process import Child, free_port
from sluice.harness.texts import load as load_texts

BODY = b'{"label":"ham","probability":0.98,"processing_time":0.003}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
CONNECTIONS = (1, 64, 256)


class Constant(asyncio.Protocol):
    """Answers whatever comes in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Constant, "127.0.0.1", port)
    print("serving", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sluice.bench.ceiling", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import uvloop

        uvloop.run(serve(options.serve))
        return
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        port = free_port()
        server = Child([sys.executable, "-m", "sluice.bench.ceiling", "--serve", str(port)], Path(folder, "server.log"))
        try:
            server.wait_for_output("serving")
            rows = run(f"http://127.0.0.1:{port}/predict/", options.seconds, options.runs, Path(folder))
        finally:
            server.stop()
    summary = summarise(rows, ["client", "connections"], ["requests_per_s", "p50_ms"])
    print_table("A constant answer, by client", summary)


def run(url: str, seconds: int, runs: int, folder: Path) -> list[Row]:
    """One row per run, client and number of connections."""
    texts = load_texts(distinct=True)
    rows: list[Row] = []
    for number in range(runs):
        for connections in CONNECTIONS:
            ours = measure(Load(url, texts, connections=connections, seconds=seconds, warm_up_s=0.5)).row()
            figures = {name: ours[name] for name in ("requests_per_s", "p50_ms")}
            rows.append({"run": number + 1, "client": "bench.client", "connections": connections, **figures})
            if shutil.which("wrk"):
                rows.append({"run": number + 1, **_wrk(url, connections, seconds, folder)})
    return rows


def _wrk(url: str, connections: int, seconds: int, folder: Path) -> Row:
    script = folder / "post.lua"
    script.write_text('wrk.method="POST"; wrk.body=\'{"text":"Your parcel is at the door, code 4711"}\'\n')
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate, p50 = re.search(r"Requests/sec:\s+([\d.]+)", out), re.search(r"50%\s+([\d.]+)(us|ms|s)", out)
    assert rate is not None
    assert p50 is not None
    scale = {"us": 0.001, "ms": 1.0, "s": 1000.0}[p50[2]]
    p50_ms = float(p50[1]) * scale
    return {"client": "wrk", "connections": connections, "requests_per_s": float(rate[1]), "p50_ms": p50_ms}


if __name__ == "__main__":
    main()
