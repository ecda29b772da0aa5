"""`sluice bench backfill`: whole archives through `sluice backfill`, beside the forward of the same model alone.

A run takes each case's texts through the bare forward, and through each way there is from an archive to its output:
the queue on Redis and on RabbitMQ, ``--local``, and one Celery task a row with celery-batches. The forward takes its
turn in parts, before, between and after the ways, and a way's ``share`` is of the parts around it: whatever else the
machine does falls on both.

The clock of a way runs from when the archive's first text reaches the tokenizer beside the model until the complete
output is there: processes that start, models that load and an archive's survey are not in it, reading, sending,
tokenising, storing and writing are. ``wall_s`` is the whole command. The forward's texts are tokenised before its clock
starts, and its batches are all full.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.bench import forward_log, plots
from sluice.bench.environment import without_own_settings
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.service import BROKER_NAMES, READY_S, SIMULATED, Servers
from sluice.bench.statistics import Row, summarise
from sluice.config.paths import ROOT
from sluice.config.settings import read
from sluice.harness import archives, texts as bench_texts
from sluice.harness.process import Child, wait_for
from sluice.harness.worker import environment
from sluice.worker.model.base import Classifier
from sluice.worker.model.loader import load
from sluice.worker.model.simulated import SCHEME

POLL_S = 0.005
#: Seconds that a way may take in all.
PATIENCE_S = 1_800.0
KEYS = ("case", "way")
FIGURES = ("rows_per_s", "share", "seconds", "wall_s", "model_busy", "mean_batch")
PEER = "celery-batches"
WAYS = ("redis", "rabbitmq", "local", PEER)
#: Ways that show something new in a case: a slow model's share does not depend on the broker.
CASE_WAYS = {"simulated": WAYS, "mbert": ("redis", "local"), "archive": ("redis", "rabbitmq", "local")}
#: What was asked for: the least share of the forward, of the ways through the queue.
TARGETS = {"simulated": 0.80, "mbert": 0.95, "archive": 1.0}


@dataclass(frozen=True)
class Case:
    """An archive and a model.

    Attributes:
        ways: ``redis``, ``rabbitmq``, ``local``, ``celery-batches``.
        peer_rows: so many of the first rows are enough for celery-batches.
        settings: of the model and the worker, by field name.
        options: more of them for ``sluice backfill``.
    """

    name: str
    archive: Path
    ways: Sequence[str]
    peer_rows: int = 2_000
    settings: dict[str, Any] = field(default_factory=lambda: {"model": SIMULATED})
    options: Sequence[str] = ()


def cases(
    folder: Path,
    names: Sequence[str] = tuple(TARGETS),
    ways: Sequence[str] = WAYS,
    *,
    rows: int = 60_000,
    mbert_rows: int = 1_500,
    peer_rows: int = 2_000,
    archive: Path | None = None,
    model: str = SIMULATED,
    mbert: Path | None = None,
    vocabulary: Path | None = None,
) -> list[Case]:
    """The cases of these names, their archives written into ``folder``.

    Args:
        rows: of the archives for the simulated accelerator.
        archive: a CSV with a column ``text`` for the case ``archive``; None: one with duplicates is made.
        model: the simulated accelerator.
        mbert: a model folder; None: mBERT's shape, made once under ``build``, with the pieces of ``vocabulary``.
    """
    found = []
    for name in names:
        if name == "mbert":
            from sluice.bench.models import mbert_folder

            served = mbert or mbert_folder(ROOT / "build" / "mbert", vocabulary=vocabulary)
            settings = {"model": str(served), "precision": "fp32"}
            file = archives.write(folder / "few.csv", mbert_rows)
        elif name == "archive":
            settings = {"model": model}
            file = archive or archives.write(folder / "duplicates.csv", rows, archives.DUPLICATES)
        else:
            settings = {"model": model}
            file = archives.write(folder / "unique.csv", rows)
        found.append(Case(name, file, [way for way in ways if way in CASE_WAYS[name]], peer_rows, settings))
    return found


def run(cases: Sequence[Case], *, runs: int = 3, note: Callable[[str], None] = progress) -> list[Row]:
    """A row per run, case and way, with `FIGURES`; the way ``forward`` is what ``share`` is a share of.

    Raises:
        RuntimeError: a process failed, or an output lacks rows or holds errors.
    """
    rows: list[Row] = []
    brokers = {way for case in cases for way in case.ways if way in BROKER_NAMES}
    with without_own_settings(), Servers("redis", *brokers) as servers:
        for number in range(1, runs + 1):
            for case in cases:
                for row in measure(servers, case):
                    rows.append({"run": number, "case": case.name, **row})
                    note(f"run {number}  {case.name:10} {row['way']:15} {_line(row)}")
    return rows


def _line(row: Row) -> str:
    return (
        f"{row['rows']:8,} rows {row['seconds']:7.2f} s {row['rows_per_s']:9,.1f} rows/s"
        f"  {row['share']:6.1%} of the forward, the model busy {row['model_busy']:.0%}, {row['wall_s']:.1f} s in all"
    )


def measure(servers: Servers, case: Case) -> Iterator[Row]:
    """One run of a case: the forward's row, then one for each way, beside the parts of the forward around it."""
    texts = bench_texts.read(case.archive)
    alone = Alone(texts, case.settings, parts=len(case.ways) + 1)
    alone.take()
    rows = []
    for number, way in enumerate(case.ways):
        row = through(servers, case, way, texts)
        alone.take()
        rows.append({**row, "share": row["rows_per_s"] / alone.rate(number, number + 2)})
    yield {
        "way": "forward",
        "rows": len(texts),
        "rows_per_s": alone.rate(),
        "share": 1.0,
        "seconds": alone.seconds,
        "wall_s": alone.seconds,
        "model_busy": 1.0,
        "mean_batch": min(alone.batch, len(texts)),
    }
    yield from rows


class Alone:
    """The forward alone over all texts, in full batches in order of arrival; ``take`` runs the next part of them."""

    def __init__(self, texts: Sequence[str], settings: dict[str, Any], parts: int) -> None:
        given = read(**settings)
        self.batch = given.max_batch_size
        self._threads = given.model_threads
        self._model: Classifier = load(given)
        ids = self._model.encode(list(texts))
        batches = [ids[start : start + self.batch] for start in range(0, len(ids), self.batch)]
        self._parts = [batches[len(batches) * i // parts : len(batches) * (i + 1) // parts] for i in range(parts)]
        # A real model's work is its tokens, of which some parts have more than others.
        alike = given.model.startswith(SCHEME)
        self._work = [sum(1 if alike else len(row) for batch in part for row in batch) for part in self._parts]
        self._rows, self._spent = len(ids), list[float]()
        self._use_cores(all_of_them=True)
        self._model.warm_up(self.batch)
        self._use_cores(all_of_them=False)

    def take(self) -> None:
        """Run the next part."""
        self._use_cores(all_of_them=True)
        began = time.perf_counter()
        _run_all(self._model, self._parts[len(self._spent)])
        self._spent.append(time.perf_counter() - began)
        self._use_cores(all_of_them=False)

    @property
    def seconds(self) -> float:
        """What the parts taken so far took."""
        return sum(self._spent)

    def rate(self, first: int = 0, end: int | None = None) -> float:
        """Rows/s of the whole at the speed of the parts ``first`` up to ``end``."""
        return sum(self._work[first:end]) / sum(self._spent[first:end]) * self._rows / sum(self._work)

    def _use_cores(self, *, all_of_them: bool) -> None:
        """What idles here must not spin beside the worker."""
        if torch := sys.modules.get("torch"):
            torch.set_num_threads((self._threads or len(os.sched_getaffinity(0))) if all_of_them else 1)


def _run_all(model: Classifier, batches: Sequence[Sequence[list[int]]]) -> None:
    """Every batch; where the device works on its own, the next one is submitted before the last one is collected."""
    from sluice.worker.engine.model_thread import Asynchronous

    if not isinstance(model, Asynchronous):
        for batch in batches:
            model.forward(batch)
        return
    handle = None
    for batch in batches:
        handle, last = model.submit(batch), handle
        if last is not None:
            model.collect(last)
    if handle is not None:
        model.collect(handle)


def through(servers: Servers, case: Case, way: str, texts: Sequence[str]) -> Row:
    """An archive, whose texts these are, one ``way`` to its output: how fast, and how busy the model was.

    Raises:
        RuntimeError: a process failed, or the output lacks rows or holds errors.
    """
    servers.empty()
    with tempfile.TemporaryDirectory(prefix="way-", dir=servers.folder) as name:
        folder = Path(name)
        source = case.archive
        broker = way
        if way == PEER:
            source, texts = shortened(source, case.peer_rows, folder / "short.csv"), texts[: case.peer_rows]
        if way not in BROKER_NAMES:
            broker = "redis"
        env = environment(servers.urls[broker], servers.urls["redis"], **case.settings)
        env |= {forward_log.FILE: str(folder / "forwards.log"), forward_log.FIRST: forward_log.digest(texts[0])}
        target = folder / "out.csv"
        if way == "local":
            command = _logged("sluice", "backfill", "--local", source, "-o", target, *case.options)
            wall, ended = _command(folder, command, env, target)
        else:
            client = [sys.executable, "-m", *_client(way), str(source)]
            client += [str(target)] if way == PEER else ["-o", str(target), *case.options]
            with _worker(folder, way, env):
                wall, ended = _command(folder, client, env, target)
        check(target, len(texts))
        log = forward_log.read(folder / "forwards.log")
        return {"way": way, "rows": len(texts), **figures(log, len(texts), wall, ended)}


def figures(log: forward_log.ForwardLog, rows: int, wall_s: float, ended: float) -> Row:
    """What the log of a model's process says of ``rows`` rows whose output was there at ``ended``.

    Raises:
        RuntimeError: the process never saw the first text.
    """
    if log.first is None:
        raise RuntimeError("the model's process never saw the archive's first text")
    seconds, sizes = ended - log.first, log.sizes()
    return {
        "rows_per_s": rows / seconds,
        "seconds": seconds,
        "wall_s": wall_s,
        "model_busy": log.busy_s(ended) / seconds,
        "mean_batch": sum(sizes) / max(1, len(sizes)),
    }


def _client(way: str) -> tuple[str, ...]:
    return ("sluice.bench.peers.row_client",) if way == PEER else ("sluice.cli", "backfill")


def _logged(*command: object) -> list[str]:
    return [sys.executable, "-m", "sluice.bench.forward_log", *map(str, command)]


@contextmanager
def _worker(folder: Path, way: str, env: dict[str, str]) -> Iterator[None]:
    """A worker that is ready, until the block ends."""
    name = "bench@localhost"
    arguments = ["celery", "-A", "sluice.bench.peers.queue_workers", "worker", "-l", "info"]
    if way != PEER:
        arguments = ["sluice", "worker"]
    with ExitStack() as stack:
        child = Child(_logged(*arguments, "--hostname", name), folder / "worker.log", env)
        stack.callback(child.stop)
        child.wait_for_output(f"{name} ready.", READY_S)
        yield


def _command(folder: Path, command: Sequence[str], env: dict[str, str], target: Path) -> tuple[float, float]:
    """Run a command until it ends.

    Returns:
        The seconds that it took, and when its output was there (monotonic seconds).

    Raises:
        RuntimeError: it failed.
    """
    began = time.monotonic()
    child = Child(command, folder / "client.log", env)
    try:
        wait_for(lambda: target.exists() or child.returncode is not None, "the output", PATIENCE_S, POLL_S)
        ended = time.monotonic()
        if child.wait(60) != 0:
            raise RuntimeError(f"the client ended with {child.returncode}:\n{child.output()[-3000:]}")
        return time.monotonic() - began, ended
    finally:
        child.kill()


def shortened(archive: Path, rows: int, file: Path) -> Path:
    """The first rows of a generated archive."""
    return archives.save(file, bench_texts.read(archive)[:rows])


def check(target: Path, rows: int) -> None:
    """Raise RuntimeError unless an output has every row with a label."""
    with target.open(encoding="utf-8", newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    if len(labels) != rows or not all(labels):
        raise RuntimeError(f"the output has {len(labels)} rows, {labels.count('')} without a label, for {rows}")


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the runs and their medians, and draw them."""
    lines = summary(rows)
    results.table("backfill", lines)
    results.table("backfill_runs", rows)
    shown = ["case", "way", "rows", "rows_per_s", "share", "target", "model_busy", "wall_s"]
    print_table("Backfill, rows/s: medians (smallest–largest run)", lines, shown)
    for case in dict.fromkeys(row["case"] for row in rows):
        plot(case, [line for line in lines if line["case"] == case], results)


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians and spreads over the runs, with the number of rows and what was asked for."""
    found = summarise(rows, KEYS, FIGURES)
    counts = {tuple(row[key] for key in KEYS): row["rows"] for row in rows}
    for line in found:
        line["rows"] = counts[line["case"], line["way"]]
        line["target"] = TARGETS.get(line["case"]) if line["way"] in BROKER_NAMES else None
    return found


def plot(case: str, lines: Sequence[Row], results: Results) -> None:
    """A bar per way; what was asked for as a line."""
    figure, axes = plots.canvas(f"Rows of an archive a second: {case}", "", "rows/s", results.stamp)
    names = [{"forward": "the forward\nalone", "local": "--local", **BROKER_NAMES}.get(w, w) for w in _ways(lines)]
    plots.bars(axes, names, lines, "rows_per_s", plots.COLOURS[: len(lines)])
    if case in TARGETS:
        wanted = TARGETS[case] * lines[0]["rows_per_s"]
        axes.axhline(wanted, linestyle=":", color="#777777", label=f"{TARGETS[case]:.2f} of the forward")
        axes.legend()
    results.figure(f"backfill_{case}", figure)


def _ways(lines: Sequence[Row]) -> list[str]:
    return [line["way"] for line in lines]
