"""A backfill whose parts are killed at given points, and whether its output is that of an undisturbed one."""

from __future__ import annotations

import csv
import json
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow.parquet as pq

from sluice.config.settings import SMALL_MODEL
from sluice.harness import archives
from sluice.harness.process import Child, wait_for
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.worker import Worker, environment

#: What can happen to a backfill: ``backfill`` is its own process, ``interrupt`` its Ctrl-C; the others come back.
FAULTS = ("backfill", "interrupt", "worker", "broker")
FORMATS = ("csv", "jsonl", "parquet", "sqlite")
PATIENCE_S = 300.0
#: The first and the last part of an archive in which nothing is killed: of the rows before it is killed at the
#: first checkpoint, of those after it at none.
EDGE = 0.05, 0.75
#: `sluice`, and with a checkpoint every ``EVERY_S`` seconds in place of two, so that a short archive has many.
SLUICE = ("-m", "sluice.cli")
EVERY_S = 0.05
OFTEN = (
    "-c",
    "import sys; from sluice.backfill import engine; from sluice.cli.main import run;"
    f" engine.CHECKPOINT_S = {EVERY_S}; sys.exit(run(sys.argv[1:]))",
)


@dataclass(frozen=True, order=True)
class Fault:
    """``what`` happens ``after_s`` seconds after the checkpoint shows so many ``rows``."""

    rows: int
    what: str
    after_s: float = 0.0


def faults(seed: int, rows: int, counts: Mapping[str, int]) -> list[Fault]:
    """Faults at random points of an archive of ``rows`` rows, in order; so many of each kind as ``counts`` says.

    Each has an equal part of the archive for itself, and its own distance from the last checkpoint.
    """
    chance = random.Random(seed)
    kinds = [what for what, count in counts.items() for _ in range(count)]
    chance.shuffle(kinds)
    first, last = (share * rows for share in EDGE)
    part = (last - first) / len(kinds)
    return [
        Fault(int(first + part * (number + chance.random())), what, chance.uniform(0, EVERY_S))
        for number, what in enumerate(kinds)
    ]


def write_archive(file: Path, rows: int, seed: int = 1) -> Path:
    """A CSV with duplicates, in which some rows have no text and some too much."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["id", "sender", "text"])
        for number, text in enumerate(archives.generate(rows, archives.DUPLICATES, seed)):
            if number % 97 == 50:
                text = "" if number % 2 else "long " * 2_000
            writer.writerow([f"m{number:06}", f"+447700900{number % 1000:03}", text])
    return file


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of an output, in the order in which they lie in it."""
    if file.suffix == ".csv":
        with file.open(encoding="utf-8", newline="") as source:
            return list(csv.DictReader(source))
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    if file.suffix == ".parquet":
        return list(pq.read_table(file).to_pylist())
    with closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute("SELECT * FROM messages ORDER BY _rowid_")]


def differences(clean: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]], most: int = 5) -> list[str]:
    """What is wrong with the rows ``seen``, as sentences without texts; empty if nothing is."""
    found: list[str] = []
    if len(seen) != len(clean):
        found.append(f"{len(seen)} rows in place of {len(clean)}")
    repeated = len(seen) - len({row["id"] for row in seen})
    if repeated:
        found.append(f"{repeated} rows are there more than once")
    for number, (one, other) in enumerate(zip(clean, seen, strict=False), 1):
        if len(found) >= most:
            break
        if list(one) != list(other):
            found.append(f"row {number} has other columns")
            continue
        wrong = [name for name in one if not _alike(name, one[name], other[name])]
        if wrong:
            found.append(f"row {number} ({one['id']}) has another {', '.join(wrong)}")
    return found


def _alike(name: str, one: Any, other: Any) -> bool:
    """Whether two values stand for the same, also in outputs of different formats."""
    one, other = ("" if value is None else str(value) for value in (one, other))
    if name != "probability" or not one or not other:
        return bool(one == other)
    return float(one) == float(other)


class Stage:
    """A broker, a result store and a worker, all of which may be killed and come back.

    Args:
        folder: for data and logs.
        kind: ``redis`` (with an append-only file; it is the result store too) or ``rabbitmq``.
        settings: by field name.

    Raises:
        Missing: a server is not installed.
    """

    def __init__(self, folder: Path, kind: str, **settings: object) -> None:
        self.folder = folder
        for name in ("store", "rabbit"):
            (folder / name).mkdir()
        self._store = RedisServer(folder / "store")
        self._broker: RedisServer | RabbitServer = self._store if kind == "redis" else RabbitServer(folder / "rabbit")
        more: dict[str, object] = {"visibility_timeout_s": 4, "model_threads": 1, **settings}
        self.env = environment(self._broker.url, self._store.url, **more)
        if "model" not in settings:
            self.env["SLUICE_MODEL"] = str(SMALL_MODEL)
        self._worker: Worker | None = None

    def __enter__(self) -> Self:
        self._store.start()
        try:
            if isinstance(self._broker, RabbitServer):
                self._broker.start()
            self._worker = Worker(self.folder, self.env).ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._end()

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.kill()
        if isinstance(self._broker, RabbitServer):
            self._broker.close()
        self._store.stop()

    def kill_worker(self) -> None:
        """``kill -9``, and another one."""
        assert self._worker is not None
        self._worker.kill()
        self._worker = Worker(self.folder, self.env)

    def kill_broker(self) -> None:
        """``kill -9``, and the same one again."""
        self._broker.kill()
        self._broker.start()

    def worker_log(self) -> str:
        """What the worker of now has said."""
        assert self._worker is not None
        return self._worker.output()


@dataclass
class Trial:
    """One backfill, from its first start until its output is there.

    Attributes:
        command: Python arguments that are `sluice`.
        struck: the faults that happened, and at which row of the checkpoint.
    """

    stage: Stage
    source: Path
    target: Path
    command: Sequence[str] = OFTEN
    options: Sequence[str] = ()
    struck: list[tuple[Fault, int]] = field(default_factory=list)
    seconds: float = 0.0
    _started_at: int = 0

    def run(self, points: Iterable[Fault] = (), note: Callable[[str], None] = lambda _: None) -> None:
        """Start the backfill, let every fault happen at its point, and start what is gone again, until it is done.

        Raises:
            RuntimeError: the backfill gave up.
            TimeoutError: it does not come to an end.
        """
        began = time.monotonic()
        child = self._start()
        try:
            for fault in sorted(points):
                if not self._reached(child, self._wanted(fault)):
                    break
                time.sleep(fault.after_s)
                rows = self.progress()
                if not rows:
                    break  # it is done meanwhile: what would be killed now is no backfill any more
                self.struck.append((fault, rows))
                note(f"{fault.what} goes at row {rows:,}")
                child = self._strike(fault, child)
            wait_for(lambda: child.returncode is not None, "the end of the backfill", PATIENCE_S)
        finally:
            child.kill()
        if child.returncode != 0:
            raise RuntimeError(f"the backfill ended with {child.returncode}:\n{child.output()[-3000:]}")
        self.seconds = time.monotonic() - began

    def progress(self) -> int:
        """Rows that the checkpoint has."""
        try:
            return int(json.loads(self._checkpoint.read_bytes())["rows"])
        except FileNotFoundError:
            return 0

    @property
    def left_behind(self) -> list[str]:
        """Names beside the output that are not of its inputs."""
        return sorted(one.name for one in self.target.parent.glob(f"{self.target.name}*") if one != self.target)

    @property
    def _checkpoint(self) -> Path:
        return self.target.with_name(f"{self.target.name}.sluice") / "checkpoint.json"

    def _wanted(self, fault: Fault) -> int:
        """The row at which a fault is due: never before the backfill of now is at work."""
        return max(fault.rows, self._started_at + 1)

    def _start(self) -> Child:
        self._started_at = self.progress()
        command = [sys.executable, *self.command, "backfill", str(self.source), "-o", str(self.target), *self.options]
        return Child(command, self.stage.folder / f"backfill-{self.target.name}.log", self.stage.env)

    def _reached(self, child: Child, rows: int) -> bool:
        """Wait until the checkpoint shows ``rows``; False if the backfill ends before."""
        wait_for(lambda: child.returncode is not None or self.progress() >= rows, f"row {rows}", PATIENCE_S)
        return child.returncode is None

    def _strike(self, fault: Fault, child: Child) -> Child:
        """Let it happen; returns the backfill that runs afterwards."""
        if fault.what == "worker":
            self.stage.kill_worker()
        elif fault.what == "broker":
            self.stage.kill_broker()
        elif fault.what == "backfill":
            child.kill()
            return self._start()
        else:
            status = child.stop(signal.SIGINT)
            if status != 128 + signal.SIGINT:
                raise RuntimeError(f"Ctrl-C ended the backfill with {status}:\n{child.output()[-3000:]}")
            return self._start()
        return child
