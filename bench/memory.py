"""`sluice bench memory`: what a backfill holds in memory and in the broker, by the length of the archive.

Each archive is classified by a `sluice backfill` and a worker that both start for it, so that nothing is left of an
earlier one. Resident memory is read from ``/proc`` and the broker is asked five times a second. An archive is made as
`sluice.harness.archives` makes them, with 31% duplicates.
"""

from __future__ import annotations

import contextlib
import csv
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import amqp
import numpy as np
import redis

from sluice.backfill.run.plan import DEFAULT_MAX_IN_FLIGHT
from sluice.bench import plots
from sluice.bench.environment import without_own_settings
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.service import READY_S, SIMULATED, Servers
from sluice.bench.statistics import Row, summarise
from sluice.harness import archives
from sluice.harness.process import Child
from sluice.harness.worker import environment
from sluice.tasks.envelope import ENVELOPE_MESSAGES, QUEUES

SLUICE = (sys.executable, "-m", "sluice.cli")
EVERY_S = 0.2
MIB = 2**20
FIGURES = ("client_mib", "worker_mib", "broker_envelopes", "broker_messages", "broker_mib", "seconds", "rows_per_s")
#: From the second longest archive to the longest one, memory may grow by less than this.
GROWTH = 0.10


@dataclass
class Watched:
    """What was seen of one backfill: a sample each `EVERY_S`.

    Attributes:
        at: seconds since its start.
        client, worker: resident memory, MiB.
        waiting: envelopes in the broker that no worker has taken.
        messages: texts in them.
        broker: what Redis holds, queues and results, MiB; with RabbitMQ results only.
    """

    at: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    worker: list[float] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    broker: list[float] = field(default_factory=list)


class Depth:
    """How much waits in a broker, asked over one connection."""

    def __init__(self, broker_url: str, backend_url: str) -> None:
        self._store = redis.Redis.from_url(backend_url)
        self._channel: Any = None
        if broker_url.startswith("amqp"):
            address = broker_url.rpartition("@")[2].strip("/")
            self._connection = amqp.Connection(address)
            self._connection.connect()
            self._channel = self._connection.channel()

    def envelopes(self) -> tuple[int, int]:
        """Envelopes that wait, and texts in them; RabbitMQ does not tell, so each counts as a full one there."""
        if self._channel is None:
            return self._in_redis()
        count = 0
        for queue in QUEUES.values():
            with contextlib.suppress(amqp.NotFound):
                count += self._channel.queue_declare(queue, passive=True).message_count
        return count, count * ENVELOPE_MESSAGES

    def _in_redis(self) -> tuple[int, int]:
        found: Any = [body for queue in QUEUES.values() for body in self._store.lrange(queue, 0, -1)]
        return len(found), sum(messages(body) for body in found)

    def used_mib(self) -> float:
        """What Redis holds, without its buffers: those of a rewrite of the append-only file are megabytes."""
        info: Any = self._store.info("memory")
        return info["used_memory_dataset"] / MIB

    def close(self) -> None:
        self._store.close()
        if self._channel is not None:
            self._connection.close()


def messages(body: bytes) -> int:
    """Texts in an envelope as it lies in Redis: Celery's header has ``classify(256 messages)``."""
    shown = json.loads(body)["headers"]["argsrepr"]
    return int(shown.removeprefix("classify(").split()[0])


def resident_mib(pid: int) -> float | None:
    """Resident memory of a process now; None when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    kib = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")]
    return kib[0] / 1024 if kib else None


def run(
    *,
    rows: Sequence[int] = (10_000, 100_000, 1_000_000),
    runs: int = 1,
    model: str = SIMULATED,
    broker: str = "redis",
    note: Callable[[str], None] = progress,
) -> list[Row]:
    """A row per run and length with `FIGURES`, the most of each, and ``watched``, all of it.

    Raises:
        RuntimeError: a process failed, or an output lacks rows.
    """
    found: list[Row] = []
    with without_own_settings(), Servers(broker) as servers:
        for number in range(1, runs + 1):
            for count in rows:
                archive = archives.write(servers.folder / "archive.csv", count, archives.DUPLICATES)
                watched = watch(servers, broker, archive, model)
                found.append({"run": number, "rows": count, **figures(watched, count), "watched": watched})
                note(f"run {number} {_line(found[-1])}")
    return found


def _line(row: Row) -> str:
    return (
        f"{row['rows']:10,} rows {row['seconds']:7.1f} s  client {row['client_mib']:.0f} MiB,"
        f" worker {row['worker_mib']:.0f} MiB, at most {row['broker_envelopes']} envelopes waiting"
    )


def figures(watched: Watched, rows: int) -> Row:
    """The most of everything."""
    return {
        "client_mib": max(watched.client),
        "worker_mib": max(watched.worker),
        "broker_envelopes": max(watched.waiting),
        "broker_messages": max(watched.messages),
        "broker_mib": max(watched.broker),
        "seconds": watched.at[-1],
        "rows_per_s": rows / watched.at[-1],
    }


def watch(servers: Servers, broker: str, archive: Path, model: str) -> Watched:
    """Classify an archive and look at what that takes."""
    servers.empty()
    env = environment(servers.urls[broker], servers.urls["redis"], model=model)
    watched = Watched()
    with tempfile.TemporaryDirectory(dir=servers.folder) as name, _worker(Path(name), env) as worker:
        target = Path(name, "out.csv")
        depth = Depth(servers.urls[broker], servers.urls["redis"])
        began = time.monotonic()
        command = [*SLUICE, "backfill", str(archive), "-o", str(target)]
        client = Child(command, Path(name, "client.log"), env)
        try:
            while client.returncode is None:
                _sample(watched, time.monotonic() - began, client, worker, depth)
                time.sleep(EVERY_S)
        finally:
            client.kill()
            depth.close()
        if client.returncode != 0:
            raise RuntimeError(f"the backfill ended with {client.returncode}:\n{client.output()[-3000:]}")
        _check(archive, target)
    return watched


@contextmanager
def _worker(folder: Path, env: dict[str, str]) -> Iterator[Child]:
    name = "memory@localhost"
    worker = Child([*SLUICE, "worker", "--hostname", name], folder / "worker.log", env)
    try:
        worker.wait_for_output(f"{name} ready.", READY_S)
        yield worker
    finally:
        worker.stop()


def _sample(watched: Watched, at: float, client: Child, worker: Child, depth: Depth) -> None:
    sizes = resident_mib(client.pid), resident_mib(worker.pid)
    if sizes[0] is None or sizes[1] is None:
        return
    waiting, texts = depth.envelopes()
    watched.at.append(at)
    watched.client.append(sizes[0])
    watched.worker.append(sizes[1])
    watched.waiting.append(waiting)
    watched.messages.append(texts)
    watched.broker.append(depth.used_mib())


def _check(archive: Path, target: Path) -> None:
    """Raise RuntimeError unless the output has the archive's rows, in order, each with a label."""
    with archive.open(encoding="utf-8", newline="") as source, target.open(encoding="utf-8", newline="") as output:
        for number, (given, row) in enumerate(zip(csv.DictReader(source), csv.DictReader(output), strict=True), 1):
            if given["id"] != row["id"] or not row["label"]:
                raise RuntimeError(f"row {number} of the output is not the archive's, or has no label")


def growth(lines: Sequence[Row], name: str) -> float:
    """How much a figure grows from the second longest archive to the longest one, as a share; NaN with only one."""
    found = sorted(lines, key=lambda line: int(line["rows"]))
    if len(found) < 2:
        return float("nan")
    return float(found[-1][name] / found[-2][name] - 1)


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the runs, their medians and how memory grows, and draw it."""
    lines: list[Row] = [{**line, "window": DEFAULT_MAX_IN_FLIGHT} for line in summarise(rows, ("rows",), FIGURES)]
    results.table("memory", lines)
    results.table("memory_runs", [{name: row[name] for name in row if name != "watched"} for row in rows])
    print_table("A backfill's memory: the most of each, medians of the runs", lines, ["rows", *FIGURES, "window"])
    grown: list[Row] = [
        {"process": name, "growth": growth(lines, f"{name}_mib"), "less_than": GROWTH} for name in ("client", "worker")
    ]
    results.table("memory_growth", grown)
    print_table("Growth of resident memory from the second longest archive to the longest", grown)
    plot(rows, results)


def plot(rows: Sequence[Row], results: Results) -> None:
    """Resident memory of client and worker in the course of the first run, a line per length."""
    title = "Resident memory in the course of a backfill"
    figure, axes = plots.canvas(title, "time since its start, share of the whole", "MiB", results.stamp)
    for number, row in enumerate(row for row in rows if row["run"] == 1):
        watched: Watched = row["watched"]
        share = np.array(watched.at) / watched.at[-1]
        colour = plots.COLOURS[number % len(plots.COLOURS)]
        axes.plot(share, watched.client, color=colour, label=f"client, {row['rows']:,} rows")
        axes.plot(share, watched.worker, "--", color=colour, label=f"worker, {row['rows']:,} rows")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=9)
    results.figure("memory", figure)
