"""`sluice bench modes`: no batching, static batches and dynamic ones, and whether short messages wait for long ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sluice.bench import plots
from sluice.bench.client import Load, measure, warm
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.service import SIMULATED, Servers, Service
from sluice.bench.statistics import Row, percentile, summarise

MODES = ("none", "static", "dynamic")
DEFAULTS = {"model": SIMULATED}
KEYS = ("mode", "load")
FIGURES = ("messages_per_s", "p50_ms", "p95_ms", "p99_ms", "errors")
OPEN_CONNECTIONS = 1024
#: Text lengths fall into this many groups with equally many requests.
LENGTH_GROUPS = 8


def run(
    texts: Sequence[str],
    *,
    runs: int = 3,
    seconds: float = 5,
    connections: int = 64,
    rate: float = 200,
    broker: str = "redis",
    **settings: Any,
) -> list[Row]:
    """Measure each mode in a closed loop and in an open one.

    Args:
        rate: requests per second of the open loop, which should be one that every mode can bear.
        settings: of the service, by field name.

    Returns:
        A row per run, mode and load; ``length`` has the characters of every request's text.
    """
    settings = {**DEFAULTS, **settings}
    rows: list[Row] = []
    with Servers(broker) as servers:
        for turn in range(1, runs + 1):
            for mode in MODES:
                with Service(servers, broker, **{**settings, "batching": mode}) as service:
                    url = service.predict_url
                    warm(Load(url, texts, connections, seconds=1.5, warm_up_s=0))
                    for name, load in (
                        ("open", Load(url, texts, OPEN_CONNECTIONS, seconds, rate=rate)),
                        ("closed", Load(url, texts, connections, seconds)),
                    ):
                        rows.append({"run": turn, "mode": mode, "load": name, **_measure(load)})
                        progress(_told(rows[-1]))
    return rows


def _measure(load: Load) -> Row:
    measured = measure(load)
    return {**measured.row(), "length": measured.length}


def _told(row: Row) -> str:
    return (
        f"run {row['run']} {row['mode']:8} {row['load']:6} {row['messages_per_s']:7,.0f} messages/s"
        f"  p50 {row['p50_ms']:.1f} ms  p95 {row['p95_ms']:.1f} ms  p99 {row['p99_ms']:.1f} ms"
        + (f"  {row['errors']} ERRORS" if row["errors"] else "")
    )


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians and spreads over the runs."""
    return summarise(rows, KEYS, FIGURES)


def by_length(rows: Sequence[Row]) -> list[Row]:
    """Latency in the open loop by text length, all runs together, in groups with equally many requests."""
    lines: list[Row] = []
    for mode in dict.fromkeys(row["mode"] for row in rows):
        chosen = [row for row in rows if row["mode"] == mode and row["load"] == "open"]
        length = np.concatenate([row["length"] for row in chosen])
        ms = 1000 * np.concatenate([row["latency_s"] for row in chosen])
        order = np.argsort(length, kind="stable")
        parts = np.array_split(order, min(LENGTH_GROUPS, len(order)))
        lines += [{"mode": mode, **_group(length[part], ms[part])} for part in parts]
    return lines


def _group(length: np.ndarray, ms: np.ndarray) -> Row:
    return {
        "characters": float(np.median(length)),
        "shortest": int(length.min()),
        "longest": int(length.max()),
        "requests": len(ms),
        "p50_ms": percentile(ms, 50),
        "p95_ms": percentile(ms, 95),
    }


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the figures, and draw them."""
    lines = summary(rows)
    results.table("modes", lines)
    results.table("modes_runs", rows)
    results.table("modes_by_length", by_length(rows))
    print_table("Modes: medians (smallest–largest run)", lines, [*KEYS, *FIGURES])
    plot(rows, results)


def plot(rows: Sequence[Row], results: Results) -> None:
    """Throughput, latency distribution, and latency by text length."""
    closed = [line for line in summary(rows) if line["load"] == "closed"]
    title = "Throughput by batching mode, closed loop"
    figure, axes = plots.canvas(title, "batching mode", "messages/s", results.stamp)
    plots.bars(axes, [line["mode"] for line in closed], closed, "messages_per_s")
    plots.plain_numbers(axes.yaxis)
    results.figure("modes_throughput", figure)

    for load in ("open", "closed"):
        series = {
            mode: np.concatenate([row["latency_s"] for row in rows if row["mode"] == mode and row["load"] == load])
            for mode in dict.fromkeys(row["mode"] for row in rows)
        }
        title = f"Latency by batching mode, {load} loop"
        figure, axes = plots.canvas(title, "latency, ms", "requests answered, %", results.stamp)
        plots.cdf(axes, series)
        results.figure(f"modes_latency_{load}", figure)

    title = "Do short messages wait for long ones? Latency by text length, open loop"
    figure, axes = plots.canvas(title, "characters in the text", "latency, ms", results.stamp)
    lines = by_length(rows)
    for number, mode in enumerate(dict.fromkeys(line["mode"] for line in lines)):
        mine = [line for line in lines if line["mode"] == mode]
        style = {"color": plots.COLOURS[number], "marker": plots.MARKERS[number]}
        for y, dashes in (("p50_ms", "-"), ("p95_ms", "--")):
            label = f"{mode}, {y.removesuffix('_ms')}"
            axes.plot([line["characters"] for line in mine], [line[y] for line in mine], dashes, label=label, **style)
    axes.set_ylim(bottom=0)
    axes.legend(ncols=3, fontsize=9)
    results.figure("modes_by_length", figure)
