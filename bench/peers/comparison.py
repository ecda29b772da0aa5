"""What the rows of ``sluice.bench.peers.measurement`` say: tables, ratios within the runs, plots."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.bench import plots
from sluice.bench.peers.measurement import JOB, ONE_TEXT
from sluice.bench.results import Results, print_table
from sluice.bench.statistics import Row, median, spread, summarise

KEYS = ("key", "contender", "load", "connections", "in_flight")
FIGURES = ("messages_per_s", "p50_ms", "p99_ms", "errors")
SHOWN = ("contender", "load", "connections", *FIGURES)
OURS = "sluice"


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the figures, and draw them."""
    lines, compared = summary(rows), ratios(rows)
    results.table("peers_runs", rows)
    results.table("peers", lines)
    print_table("Sluice beside its peers: medians (smallest–largest run)", lines, SHOWN)
    if compared:
        results.table("peers_ratios", compared)
        print_table("Messages/s of Sluice on Redis over others', run by run", compared)
    plot(lines, results)


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians and spreads over the runs."""
    return summarise(rows, KEYS, FIGURES)


def ratios(rows: Sequence[Row]) -> list[Row]:
    """Messages/s of Sluice over those of every other contender, within each run.

    Only loads with as many messages under way are compared: single requests with single requests, and Sluice's jobs
    both with callers who wait for 64 single requests and with callers who wait for each alone.
    """
    lines = []
    for load in (ONE_TEXT, JOB):
        own = {(row["run"], row["in_flight"]): row for row in rows if row["key"] == OURS and row["load"] == load}
        others = [row for row in rows if row["key"] != OURS and row["load"] in (load, ONE_TEXT)]
        for other in others:
            mine = own.get((other["run"], other["in_flight"]))
            if mine:
                ratio = mine["messages_per_s"] / other["messages_per_s"]
                columns = {"sluice": load, "over": other["contender"], "with": other["load"]}
                lines.append({**columns, "in_flight": other["in_flight"], "ratio": ratio})
    return summarise(lines, ("sluice", "over", "with", "in_flight"), ("ratio",))


def beyond_forward(rows: Sequence[Row], forward_ms: float) -> dict[str, tuple[float, float, float]]:
    """For each contender, milliseconds that its p50 at one connection adds to the forward: median and spread."""
    added: dict[str, list[float]] = {}
    for row in rows:
        if row["load"] == ONE_TEXT and row["connections"] == 1:
            added.setdefault(row["contender"], []).append(row["p50_ms"] - forward_ms)
    return {name: (median(values), *spread(values)) for name, values in added.items()}


def plot(lines: Sequence[Row], results: Results) -> None:
    """Throughput and median latency by the number of connections; bars where there is only one number."""
    single = [line for line in lines if line["load"] == ONE_TEXT]
    for figure, label, title in (
        ("messages_per_s", "messages/s", "Sluice beside its peers: throughput"),
        ("p50_ms", "median latency, ms", "Sluice beside its peers: latency"),
    ):
        if len({line["connections"] for line in single}) > 1:
            canvas, axes = plots.canvas(title, "connections, one text a request", label, results.stamp)
            series: dict[str, list[Row]] = {}
            for line in single:
                series.setdefault(line["contender"], []).append(line)
            plots.lines(axes, series, "connections", figure)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xticks(sorted({line["connections"] for line in single}))
            plots.plain_numbers(axes.xaxis)
            plots.plain_numbers(axes.yaxis)
        elif single:
            x = f"{single[0]['connections']} connections, one text a request"
            canvas, axes = plots.canvas(title, x, label, results.stamp)
            names = [line["contender"].replace(" ", "\n", 1).replace(" + ", " +\n") for line in single]
            plots.bars(axes, names, single, figure, [plots.COLOURS[0 if _ours(line) else 7] for line in single])
        else:
            continue
        results.figure(f"peers_{figure}", canvas)


def _ours(line: Row) -> bool:
    return bool(line["key"].startswith(OURS))
