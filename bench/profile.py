"""A flame graph of the worker on a full queue.

``python -m sluice.bench.profile {redis|rabbitmq} OUT.svg [--tasks 20000] [--gil]``

The queue is filled with one-message Celery tasks before the worker starts; py-spy watches all of its threads from the
first stored result to the last. The servers are private and end with the run.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import redis

from sluice.bench.worker import CONTENDERS, MODEL, QUIET, fill, servers, wait_for_results
from sluice.harness.process import ROOT, Child
from sluice.harness.worker import environment

RATE = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("broker", choices=["redis", "rabbitmq"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--gil", action="store_true", help="only what holds the interpreter lock")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sl-") as root, servers(Path(root)) as urls:
        broker = urls["Redis" if options.broker == "redis" else "RabbitMQ"]
        env = environment(broker, urls["Redis"], model=MODEL)
        fill(CONTENDERS[0], env, options.tasks)
        record(env, urls["Redis"], options, Path(root))
    print(options.out)


def record(env: dict[str, str], backend: str, options: argparse.Namespace, logs: Path) -> None:
    client = redis.Redis.from_url(backend)
    worker = Child([sys.executable, "-m", "celery", "-A", "tasks", "worker", *QUIET], logs / "worker.log", env)
    try:
        wait_for_results(client, 1)
        raw = logs / "stacks.svg"
        command = ["py-spy", "record", "-p", str(worker.pid), "-r", str(RATE), "-t", "-d", "3600", "-o", str(raw)]
        spy = subprocess.Popen([*command, *(["--gil"] if options.gil else [])], stdout=subprocess.DEVNULL)
        wait_for_results(client, options.tasks)
        spy.send_signal(signal.SIGINT)
        spy.wait(60)
    finally:
        worker.stop()
        client.close()
    title = f"Sluice's worker on a full queue, {options.broker}" + (", holding the interpreter" if options.gil else "")
    options.out.write_text(anonymous(raw.read_text(encoding="utf-8"), title), encoding="utf-8")


def anonymous(svg: str, title: str) -> str:
    """Paths relative to the checkout and to site-packages, no command line: a profile tells nothing of its machine."""
    svg = re.sub(r"py-spy record [^<]*", title, svg)
    svg = svg.replace(f"{ROOT}/", "").replace(str(ROOT), ".")
    svg = re.sub(r"[^\s<>\"(]*/site-packages/", "", svg)
    return re.sub(r"[^\s<>\"(]*/lib/python3\.\d+/", "", svg)


if __name__ == "__main__":
    main()
