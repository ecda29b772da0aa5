"""`sluice bench lanes`: what a backfill does to interactive messages, and they to it.

A worker of its own for each load, on Redis and on RabbitMQ, with a fast and with a slow simulated model:

- ``idle``: single messages at random times, nothing else;
- ``bulk``: a backfill that saturates the worker, nothing else;
- ``bulk + light``: both;
- ``bulk + full``: that backfill beside interactive envelopes that would saturate the worker by themselves.

A latency runs from when a message was due until its answer is here: the queue both ways, and no web process between.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np

from sluice.bench import plots
from sluice.bench.environment import without_own_settings
from sluice.bench.feeder import Feeder, Reading
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.service import BROKER_NAMES, READY_S, SIMULATED, Servers
from sluice.bench.statistics import Row, percentile, summarise
from sluice.config.settings import read
from sluice.harness.process import wait_for
from sluice.harness.worker import Worker, environment
from sluice.tasks.client import Client
from sluice.tasks.envelope import ENVELOPE_MESSAGES

MODELS = {"fast": SIMULATED, "slow": "simulated:?batch_ms=400&message_us=2000"}
BROKERS = tuple(BROKER_NAMES)
IDLE, BULK, LIGHT, FULL = LOADS = ("idle", "bulk", "bulk + light", "bulk + full")
#: Messages under way of a backfill that saturates the worker; what `sluice backfill` keeps there at most.
WINDOW = 16_384
#: Interactive envelopes that saturate the worker: smaller than a backfill's, as web processes send them.
INTERACTIVE_ENVELOPE, INTERACTIVE_WINDOW = 64, 4_096
#: Interactive messages/s beside a backfill.
LIGHT_RATE = 15.0
#: Seconds after the first answer of a backfill that are not counted.
SETTLE_S = 2.0
#: Seconds that the last answers may take.
PATIENCE_S = 60.0
KEYS = ("broker", "model", "load")
FIGURES = ("p50_ms", "p99_ms", "bulk_per_s", "interactive_per_s")
#: What was asked for: at most the idle p99 and so many batches, and at least so much of the backfill's rate.
BATCHES, KEPT = 2, 0.8


@dataclass(frozen=True)
class Stage:
    """A worker with its broker."""

    env: dict[str, str]

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client of the service, ready to wait for replies."""
        names = {name.removeprefix("SLUICE_").lower(): value for name, value in self.env.items()}
        with Client(read(**names)) as client:
            yield client


def run(
    *,
    runs: int = 3,
    brokers: Sequence[str] = BROKERS,
    models: Sequence[str] = tuple(MODELS),
    seconds: float = 20.0,
    rate: float = LIGHT_RATE,
    note: Callable[[str], None] = progress,
) -> list[Row]:
    """A row per run, broker, model and load, with `FIGURES` as far as the load has them.

    Args:
        models: names of `MODELS`.
        seconds: how long each load is measured.
        rate: light interactive messages/s.

    Raises:
        RuntimeError: a process ended early.
        TimeoutError: some message was not answered.
    """
    rows: list[Row] = []
    with without_own_settings(), Servers(*brokers) as servers:
        for turn in range(1, runs + 1):
            for broker in brokers:
                for model in models:
                    for load in LOADS:
                        with _stage(servers, broker, MODELS[model]) as stage:
                            figures = measure(stage, load, seconds, rate, seed=turn)
                        rows.append({"run": turn, "broker": broker, "model": model, "load": load, **figures})
                        note(_line(rows[-1]))
    return rows


@contextmanager
def _stage(servers: Servers, broker: str, model: str) -> Iterator[Stage]:
    """A worker that is ready, with nothing in its queues."""
    servers.empty()
    env = environment(servers.urls[broker], servers.urls["redis"], model=model)
    worker = Worker(servers.folder, env, level="warning")
    try:
        stage = Stage(env)
        with stage.client() as client:
            wait_for(lambda: worker.returncode is not None or client.workers(), "the worker", READY_S)
        if worker.returncode is not None:
            raise RuntimeError(f"the worker ended with {worker.returncode}:\n{worker.output()[-3000:]}")
        yield stage
    finally:
        worker.kill()


def measure(stage: Stage, load: str, seconds: float, rate: float, seed: int = 1) -> Row:
    """The figures of one load; ``latency_s`` is an array, ``batch_ms`` the model's mean time of a batch lately."""
    with ExitStack() as stack:
        client = stack.enter_context(stage.client())
        call(client, seconds=1.0, rate=rate)  # connections are made, code is warm
        feeders: dict[str, Feeder] = {}
        if load != IDLE:
            feeders["bulk"] = Feeder(stage.env, lane="bulk", envelope=ENVELOPE_MESSAGES, window=WINDOW)
        if load == FULL:
            feeders["interactive"] = Feeder(
                stage.env, lane="interactive", envelope=INTERACTIVE_ENVELOPE, window=INTERACTIVE_WINDOW
            )
        for feeder in feeders.values():
            stack.enter_context(feeder)
        _settle(feeders)
        before = {lane: feeder.read() for lane, feeder in feeders.items()}
        figures: Row = {}
        if load in (IDLE, LIGHT):
            latency = call(client, seconds, rate, seed)
            figures = {**_quantiles(latency), "interactive_per_s": len(latency) / seconds}
        else:
            time.sleep(seconds)
        for lane, feeder in feeders.items():
            figures[f"{lane}_per_s"] = before[lane].rate_until(feeder.read())
        return {**figures, "batch_ms": client.workers()[0].batch.mean_ms}


def _settle(feeders: dict[str, Feeder]) -> None:
    """Wait until every feeder has had answers for a while."""

    def settled(feeder: Feeder) -> Reading | None:
        reading = feeder.read()
        return reading if reading.first is not None and reading.at - reading.first >= SETTLE_S else None

    for lane, feeder in feeders.items():
        wait_for(lambda feeder=feeder: settled(feeder), f"answers on the {lane} lane", READY_S, 0.2)  # type: ignore[misc]


def call(client: Client, seconds: float, rate: float, seed: int = 1) -> np.ndarray:
    """Send single interactive messages at random times (a Poisson process) and wait for all their answers.

    Returns:
        Seconds from when each was due to its answer, shaped (messages,).

    Raises:
        TimeoutError: some were not answered.
    """
    chance = random.Random(seed)
    began = due_at = time.monotonic()
    due: dict[str, float] = {}
    latency: list[float] = []
    while due_at < began + seconds or due:
        now = time.monotonic()
        if now > began + seconds + PATIENCE_S:
            raise TimeoutError(f"{len(due)} interactive messages were not answered")
        if due_at < began + seconds and now >= due_at:
            name = uuid4().hex
            due[name] = due_at
            client.publish([f"{name} is my parcel's number, where is it?"], lane="interactive", envelope_id=name)
            due_at += chance.expovariate(rate)
            continue
        for name, _ in client.replies(max(0.0005, min(due_at - now, 0.1)) if due_at < began + seconds else 0.1):
            latency.append(time.monotonic() - due.pop(name))
    return np.array(latency)


def _quantiles(latency_s: np.ndarray) -> Row:
    ms = latency_s * 1000
    return {
        "p50_ms": percentile(ms, 50),
        "p99_ms": percentile(ms, 99),
        "max_ms": float(ms.max()),
        "requests": len(ms),
        "latency_s": latency_s,
    }


def _line(row: Row) -> str:
    figures = "".join(f"  {name} {row[name]:,.1f}" for name in FIGURES if name in row)
    return f"run {row['run']}  {row['broker']:8}  {row['model']:4}  {row['load']:12}{figures}"


def summary(rows: Sequence[Row]) -> list[Row]:
    """A line per broker and model: what was asked for, and how it came out, in medians over the runs.

    ``batches_more`` is how far the p99 beside a backfill is over the idle one, in full batches; ``kept`` the share of
    its rate that a backfill keeps under light interactive traffic, ``bulk_share`` its share of messages under full one.
    """
    found: list[Row] = []
    turns: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        turns.setdefault((row["broker"], row["model"], row["run"]), {})[row["load"]] = row
    for (broker, model, turn), loads in turns.items():
        idle, bulk, light, full = (loads[load] for load in LOADS)
        found.append(
            {
                "broker": broker,
                "model": model,
                "run": turn,
                "idle_p50_ms": idle["p50_ms"],
                "idle_p99_ms": idle["p99_ms"],
                "p50_ms": light["p50_ms"],
                "p99_ms": light["p99_ms"],
                "batch_ms": bulk["batch_ms"],
                "batches_more": (light["p99_ms"] - idle["p99_ms"]) / bulk["batch_ms"],
                "bulk_per_s": bulk["bulk_per_s"],
                "kept": light["bulk_per_s"] / bulk["bulk_per_s"],
                "bulk_share": full["bulk_per_s"] / (full["bulk_per_s"] + full["interactive_per_s"]),
            }
        )
    columns = [name for name in found[0] if name not in ("broker", "model", "run")]
    return summarise(found, ("broker", "model"), columns)


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the figures, and draw the latencies."""
    lines = summary(rows)
    results.note(targets={"batches_more": BATCHES, "kept": KEPT})
    results.table("lanes", lines)
    results.table("lanes_runs", rows)
    print_table(f"Lanes: medians; asked for: at most {BATCHES} batches more, at least {KEPT:.0%} kept", lines)
    plot(rows, results)


def plot(rows: Sequence[Row], results: Results) -> None:
    """How long interactive messages took, alone and beside a backfill."""
    title = "Interactive messages, alone and beside a backfill that saturates the worker"
    figure, axes = plots.canvas(title, "ms until the answer", "% of messages", results.stamp)
    series: dict[str, list[np.ndarray]] = {}
    for row in rows:
        if row["load"] in (IDLE, LIGHT):
            beside = "alone" if row["load"] == IDLE else "beside a backfill"
            series.setdefault(f"{BROKER_NAMES[row['broker']]}, {row['model']}, {beside}", []).append(row["latency_s"])
    plots.cdf(axes, {name: np.concatenate(parts) for name, parts in series.items()})
    results.figure("lanes", figure)
