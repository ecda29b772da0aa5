"""What each mechanism buys: the service with everything on, and with one thing switched off at a time.

Over HTTP, closed loop, one text a request; contenders take turns within a run. A mechanism is worth the ratio of the
two rates on *this* load: pacing shows nothing at one connection, deduplication nothing where no text repeats. How
frames from RabbitMQ are read shows where a worker does little else: a queue of one-message tasks is emptied.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice.bench import plots, worker as queue
from sluice.bench.client import Load, measure, warm
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.service import SIMULATED, Servers, Service
from sluice.bench.statistics import Row, summarise
from sluice.bench.variants import command
from sluice.config.settings import SMALL_MODEL
from sluice.harness.texts import load as load_texts
from sluice.tasks.envelope import TASK_NAME

EVERYTHING = "everything on"
WARM_UP_S = 1.0
KEYS = ("load", "without")


@dataclass(frozen=True)
class Contender:
    """The service less one mechanism."""

    without: str
    web: Sequence[str] = ("-m", "sluice.cli", "web")
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """A load under which some mechanisms matter."""

    name: str
    model: str
    contenders: tuple[Contender, ...]
    repeats: int = 1
    """How often each text comes on average."""


TRIALS = (
    Trial(
        "simulated accelerator",
        SIMULATED,
        (
            Contender(EVERYTHING),
            Contender("Flask's hot route", command("no-hot-route")),
            Contender("pacing", command("no-pacing")),
            Contender("group commit", command("no-group-commit")),
            Contender("dynamic batching (static)", settings={"batching": "static"}),
            Contender("batching (one by one)", settings={"batching": "none"}),
        ),
    ),
    Trial(
        "the shipped model",
        str(SMALL_MODEL),
        (
            Contender(EVERYTHING),
            Contender("the packed forward", settings={"packed": False}),
            Contender("batching (one by one)", settings={"batching": "none"}),
        ),
    ),
    Trial(
        "the shipped model, each text four times",
        str(SMALL_MODEL),
        (
            Contender(EVERYTHING),
            Contender("deduplication", settings={"deduplicate": False}),
            Contender("(nothing, and a result cache)", settings={"result_cache_ttl_s": 3600}),
        ),
        repeats=4,
    ),
)


#: Workers that empty the queue; no latency there says anything.
QUEUED = (
    queue.Contender(EVERYTHING, "tasks", TASK_NAME),
    queue.Contender("many frames a read", "sluice.bench.plain_frames", TASK_NAME),
)
QUEUED_LOAD = "queued one-message tasks, RabbitMQ"


def run(
    *,
    connections: int = 64,
    seconds: float = 4.0,
    runs: int = 3,
    tasks: int = 6000,
    over: str = "both",
    trials: Sequence[Trial] = TRIALS,
) -> list[Row]:
    """One row per run, load and contender: messages/s and latencies of a closed loop; then ``tasks`` in a queue.

    Args:
        over: ``http``, ``queue`` or ``both``.
    """
    rows = [] if over == "queue" else _over_http(connections, seconds, runs, trials)
    return rows if over == "http" else rows + _queued(tasks, runs)


def _queued(tasks: int, runs: int) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="sl-") as root, queue.servers(Path(root)) as urls:
        for number in range(1, runs + 1):
            for contender in QUEUED if number % 2 else reversed(QUEUED):
                rate = queue.measure(contender, urls["RabbitMQ"], urls["Redis"], Path(root), tasks)
                none = {"p50_ms": float("nan"), "p99_ms": float("nan"), "errors": 0}
                rows.append(
                    {"run": number, "load": QUEUED_LOAD, "without": contender.name, "messages_per_s": rate} | none
                )
                progress(f"run {number}  {QUEUED_LOAD}, {contender.name}: {rate:,.0f}/s")
    return rows


def _over_http(connections: int, seconds: float, runs: int, trials: Sequence[Trial]) -> list[Row]:
    rows: list[Row] = []
    with Servers("redis") as servers:
        for number in range(1, runs + 1):
            for trial in trials:
                for contender in trial.contenders:
                    row = _measure(servers, trial, contender, connections, seconds, seed=number)
                    rows.append({"run": number, "load": trial.name, "without": contender.without, **row})
                    told = contender.without if contender.without == EVERYTHING else f"less {contender.without}"
                    progress(f"run {number}  {trial.name}, {told}: {row['messages_per_s']:,.0f}/s")
    return rows


def _measure(servers: Servers, trial: Trial, contender: Contender, connections: int, seconds: float, seed: int) -> Row:
    # One after the other, so that the same text waits several times at the same moment.
    sent = [text for text in load_texts(distinct=True, seed=seed) for _ in range(trial.repeats)]
    with Service(servers, web=contender.web, model=trial.model, **contender.settings) as service:
        warm(Load(service.predict_url, sent, connections, seconds=WARM_UP_S, warm_up_s=0))
        return measure(Load(service.predict_url, sent, connections, seconds=seconds)).row()


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians over the runs; ``share`` is the rate as a share of that with everything on."""
    lines = summarise(rows, KEYS, ("messages_per_s", "p50_ms", "p99_ms", "errors"))
    whole = {line["load"]: line["messages_per_s"] for line in lines if line["without"] == EVERYTHING}
    return [{**line, "share": line["messages_per_s"] / whole[line["load"]]} for line in lines]


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the figures, and draw them."""
    lines = summary(rows)
    results.table("mechanisms", lines)
    results.table("mechanisms_runs", rows)
    shown = [*KEYS, "messages_per_s", "share", "p50_ms", "p99_ms", "errors"]
    print_table("One mechanism switched off at a time: medians (smallest–largest run)", lines, shown)
    title = "One mechanism switched off at a time"
    figure, axes = plots.canvas(f"{title}\n", "share of the rate with everything on", "", "", figsize=(9.0, 5.6))
    figure.text(0.01, 0.93, results.stamp, fontsize=8.5, color="#555555", va="top")  # the labels leave no room above
    names = [f"{line['load']}: {line['without']}" for line in lines if line["without"] != EVERYTHING]
    shares = [line["share"] for line in lines if line["without"] != EVERYTHING]
    drawn = axes.barh(names, shares, color=plots.COLOURS[0])
    axes.bar_label(drawn, labels=[f"{share:.2f}" for share in shares], padding=3)
    axes.axvline(1.0, color="#555555", linewidth=1, zorder=0)
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    results.figure("mechanisms", figure)
