"""The report of ``sluice.bench.worker``: queued tasks per second, by worker and broker."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.bench import plots
from sluice.bench.results import Results, print_table
from sluice.bench.statistics import Row, median, summarise

KEYS = ("contender", "broker")
PEER = "celery-batches"


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the figures, and draw them."""
    lines = summary(rows)
    results.table("worker", lines)
    results.table("worker_runs", rows)
    print_table("Queued tasks, messages/s: medians (smallest–largest run)", lines)
    plot(rows, results)


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians and spreads, and the median over the rounds of the ratio to celery-batches on the same broker."""
    lines = summarise(rows, KEYS, ("rate",))
    return [{**line, "over_celery_batches": _ratio(rows, line)} for line in lines]


def _ratio(rows: Sequence[Row], line: Row) -> float:
    theirs = {row["round"]: row["rate"] for row in rows if (row["contender"], row["broker"]) == (PEER, line["broker"])}
    mine = [row for row in rows if all(row[key] == line[key] for key in KEYS) and row["round"] in theirs]
    return median(row["rate"] / theirs[row["round"]] for row in mine) if mine else float("nan")


def plot(rows: Sequence[Row], results: Results) -> None:
    """Bars on a logarithmic axis: the contenders are more than ten times apart."""
    lines = summary(rows)
    brokers = list(dict.fromkeys(line["broker"] for line in lines))
    contenders = list(dict.fromkeys(line["contender"] for line in lines))
    title = "A queue of Celery tasks, emptied by one worker"
    figure, axes = plots.canvas(title, "", "messages/s", results.stamp, figsize=(9.0, 5.2))
    width = 0.8 / len(brokers)
    for number, broker in enumerate(brokers):
        mine = {line["contender"]: line for line in lines if line["broker"] == broker}
        places = [place + (number - (len(brokers) - 1) / 2) * width for place in range(len(contenders))]
        rates = [mine[name]["rate"] for name in contenders]
        drawn = axes.bar(places, rates, width * 0.95, label=broker, color=plots.COLOURS[number])
        axes.bar_label(drawn, labels=[f"{rate:,.0f}" for rate in rates], padding=2, fontsize=9)
    axes.set_yscale("log")
    plots.few_log_ticks(axes.yaxis)
    axes.set_xticks(range(len(contenders)), [name.replace(", ", ",\n") for name in contenders])
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.15)
    axes.legend()
    results.figure("worker", figure)
