"""`sluice bench scale`: more workers on one queue, with the workload of model-micro-batching-api.

There each message is decoded for 0.5 s, and a batch of 5 takes the model 0.5 s: 200 messages are 40 batches, 20 s of
model time for one worker, and half a second before the first batch can run. Decoding must go on beside the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sluice.bench import plots
from sluice.bench.client import Load, measure
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.service import Servers, Service
from sluice.bench.statistics import Row, summarise

BATCH = 5
BATCH_S = 0.5
PREPARE_S = 0.5
COUNTS = (1, 10, 50, 100, 200)
WORKERS = (1, 2, 4)
KEYS = ("workers", "messages")
#: Callers wait as long as it takes, and more request threads than callers keep them from being sent away.
DEFAULTS = {
    "model": "simulated:?batch_ms=500&message_us=0&prepare_ms=500",
    "max_batch_size": BATCH,
    "sync_wait_s": 300,
    "web_threads": 1024,
}


def run(
    texts: Sequence[str],
    *,
    runs: int = 3,
    counts: Sequence[int] = COUNTS,
    workers: Sequence[int] = WORKERS,
    broker: str = "redis",
    **settings: Any,
) -> list[Row]:
    """Send ``counts`` messages at once, each as a request of its own, and wait for the last answer.

    Returns:
        A row per run, number of workers and number of messages; ``limit_s`` is what the model alone would take.

    Raises:
        RuntimeError: some message was not answered.
    """
    settings = {**DEFAULTS, **settings}
    rows: list[Row] = []
    with Servers(broker) as servers:
        for turn in range(1, runs + 1):
            for number in workers:
                with Service(servers, broker, number, **settings) as service:
                    for count in counts:
                        load = Load(service.predict_url, texts, count, requests=1, warm_up_s=0, timeout_s=30)
                        measured = measure(load)
                        if len(measured.answered) != count:
                            raise RuntimeError(f"{len(measured.answered)} of {count} answered; {measured.errors}")
                        rows.append(
                            {
                                "run": turn,
                                "workers": number,
                                "messages": count,
                                "seconds": measured.seconds,
                                "limit_s": limit_s(count, number),
                            }
                        )
                        progress(f"run {turn} {number} workers {count:4} messages {measured.seconds:7.2f} s")
    return rows


def limit_s(messages: int, workers: int) -> float:
    """Seconds of the slowest worker's model, if full batches were shared out evenly, and the first preparation."""
    batches = -(-messages // BATCH)
    return PREPARE_S + BATCH_S * -(-batches // workers)


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians and spreads over the runs."""
    return [
        {**line, "limit_s": limit_s(line["messages"], line["workers"])} for line in summarise(rows, KEYS, ("seconds",))
    ]


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the figures, and draw them."""
    lines = summary(rows)
    results.table("scale", lines)
    results.table("scale_runs", rows)
    print_table("Scale: seconds until the last answer, medians (smallest–largest run)", lines)
    plot(rows, results)


def plot(rows: Sequence[Row], results: Results) -> None:
    """Seconds by messages, a line per number of workers, and the limit that the model sets."""
    lines = summary(rows)
    title = "Seconds for all answers: 0.5 s to prepare a message, 0.5 s a batch of 5"
    figure, axes = plots.canvas(title, "messages sent at once", "seconds until the last answer", results.stamp)
    series = {
        f"{number} worker{'s' * (number > 1)}": [line for line in lines if line["workers"] == number]
        for number in dict.fromkeys(line["workers"] for line in lines)
    }
    for mine in series.values():
        axes.plot(
            [line["messages"] for line in mine], [line["limit_s"] for line in mine], ":", color="#777777", zorder=1
        )
    plots.lines(axes, series, "messages", "seconds")
    axes.plot([], [], ":", color="#777777", label="the model's own limit")
    axes.legend()
    axes.set_ylim(bottom=0)
    results.figure("scale", figure)
