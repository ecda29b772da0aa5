"""`sluice bench http`: the whole way from HTTP to the model and back, under four kinds of load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sluice.bench import plots
from sluice.bench.client import Load, measure, warm
from sluice.bench.progress import progress
from sluice.bench.results import Results, number, print_table
from sluice.bench.service import BROKER_NAMES, SIMULATED, Servers, Service
from sluice.bench.statistics import Row, summarise

FIGURES = ("requests_per_s", "messages_per_s", "p50_ms", "p95_ms", "p99_ms", "max_ms", "errors")
DEFAULTS = {"model": SIMULATED}
KEYS = ("load", "broker", "connections", "rate", "messages")
#: Texts in each ``POST /jobs``.
JOB_TEXTS = 64
#: Connections that open loops may grow to.
OPEN_CONNECTIONS = 1024
PREFER = (("Prefer", "wait=60"),)
WARM_CONNECTIONS = 64


def run(
    texts: Sequence[str],
    *,
    runs: int = 3,
    seconds: float = 4,
    connections: Sequence[int] = (1, 16, 64, 256),
    rates: Sequence[float] = (500, 1000, 2000),
    burst: tuple[float, float] | None = (1200, 10),
    job_connections: Sequence[int] = (1, 8),
    brokers: Sequence[str] = ("redis",),
    **settings: Any,
) -> list[Row]:
    """Measure one web process and one worker.

    Args:
        seconds: of each load but the burst.
        burst: requests per second, and for how many seconds.
        job_connections: of the loads that post jobs of 64 texts and wait for them.
        settings: of the service, by field name.

    Returns:
        A row per run, broker and load.
    """
    settings = {**DEFAULTS, **settings}
    warm_up_s = min(1.0, seconds / 2)
    rows: list[Row] = []
    with Servers(*brokers) as servers:
        for turn in range(1, runs + 1):
            for broker in brokers:
                with Service(servers, broker, **settings) as service:
                    predict, jobs = service.predict_url, service.jobs_url
                    warm(Load(predict, texts, WARM_CONNECTIONS, seconds=2 * warm_up_s, warm_up_s=0))
                    loads = [
                        *_closed(Load(predict, texts, seconds=seconds, warm_up_s=warm_up_s), connections),
                        *_jobs(Load(jobs, texts, seconds=seconds, warm_up_s=warm_up_s), job_connections),
                        *_open(Load(predict, texts, seconds=seconds, warm_up_s=warm_up_s, seed=turn), rates),
                        *_burst(Load(predict, texts, seconds=seconds, warm_up_s=0, seed=turn), burst),
                    ]
                    for key, load in loads:
                        rows.append(_measure(load, {"run": turn, "broker": broker, **key}))
                        progress(f"run {turn} {broker:8} {_name(rows[-1]):30} {_told(rows[-1])}")
    return rows


def _closed(load: Load, connections: Sequence[int]) -> Iterator[tuple[Row, Load]]:
    for count in connections:
        yield {"load": "closed", "connections": count}, replace(load, connections=count)


def _jobs(load: Load, connections: Sequence[int]) -> Iterator[tuple[Row, Load]]:
    for count in connections:
        yield (
            {"load": "jobs", "connections": count},
            replace(load, connections=count, messages=JOB_TEXTS, headers=PREFER),
        )


def _open(load: Load, rates: Sequence[float]) -> Iterator[tuple[Row, Load]]:
    for rate in rates:
        yield {"load": "open", "rate": rate}, replace(load, connections=OPEN_CONNECTIONS, rate=rate)


def _burst(load: Load, burst: tuple[float, float] | None) -> Iterator[tuple[Row, Load]]:
    if burst:
        rate, length = burst
        wave = replace(load, connections=OPEN_CONNECTIONS, rate=rate, seconds=length)
        yield {"load": "burst", "rate": rate}, wave


def _measure(load: Load, key: Row) -> Row:
    measured = measure(load)
    row = {"connections": None, "rate": None, **key, "messages": load.messages, **measured.row()}
    if load.rate is not None:
        row |= {"late": measured.late, "clear_s": measured.clear_s}
    if key["load"] == "burst":
        row |= {"length_s": load.seconds, "due_s": np.sort(measured.due), "answered_s": np.sort(measured.answered)}
    return row


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians and spreads over the runs; bursts have ``clear_s`` too."""
    lines = summarise(rows, KEYS, FIGURES)
    waves = summarise([row for row in rows if row["rate"]], KEYS, ("clear_s", "late"))
    known = {tuple(wave[key] for key in KEYS): wave for wave in waves}
    return [{**line, **known.get(tuple(line[key] for key in KEYS), {})} for line in lines]


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the figures, and draw them."""
    lines = summary(rows)
    results.table("http", lines)
    results.table("http_runs", rows)
    shown = ["load", "broker", "connections", "rate", "messages", "messages_per_s", "p50_ms", "p95_ms", "p99_ms"]
    print_table("HTTP: medians (smallest–largest run)", lines, [*shown, "errors", "clear_s"])
    plot(rows, results)


def plot(rows: Sequence[Row], results: Results) -> None:
    """Throughput by connections, latencies of both loops, and the course of the burst."""
    lines = summary(rows)
    _plot_throughput(lines, results)
    for load, name in (("closed", "http_latency_cdf"), ("open", "http_open_latency_cdf")):
        series = _latencies(rows, load)
        if series:
            title = f"Latency of POST /predict/, {load} loop"
            figure, axes = plots.canvas(title, "latency, ms", "requests answered, %", results.stamp)
            plots.cdf(axes, series)
            results.figure(name, figure)
    waves = [row for row in rows if row["load"] == "burst"]
    if waves:
        _plot_burst(waves, results)


def _plot_throughput(lines: Sequence[Row], results: Results) -> None:
    series = {}
    for load, name in (("closed", "one text a request"), ("jobs", f"jobs of {JOB_TEXTS} texts")):
        for broker in dict.fromkeys(line["broker"] for line in lines):
            found = [line for line in lines if line["load"] == load and line["broker"] == broker]
            if found:
                series[f"{name}, {BROKER_NAMES[broker]}"] = found
    if not series:
        return
    figure, axes = plots.canvas("Throughput over HTTP, closed loop", "connections", "messages/s", results.stamp)
    plots.lines(axes, series, "connections", "messages_per_s")
    plots.log_counts(axes, sorted({line["connections"] for found in series.values() for line in found}))
    plots.plain_numbers(axes.yaxis)
    axes.set_ylim(bottom=0)
    results.figure("http_throughput", figure)


def _latencies(rows: Sequence[Row], load: str) -> dict[str, np.ndarray]:
    """Latencies of all runs together, by the name of the load."""
    series: dict[str, list[np.ndarray]] = {}
    several = len({row["broker"] for row in rows}) > 1
    for row in rows:
        if row["load"] == load:
            name = _name(row).partition(", ")[2] + (f", {BROKER_NAMES[row['broker']]}" if several else "")
            series.setdefault(name, []).append(row["latency_s"])
    return {name: np.concatenate(parts) for name, parts in series.items()}


def _plot_burst(waves: Sequence[Row], results: Results) -> None:
    """Requests due and not answered, of the run whose time to clear is the median one."""
    wave = sorted(waves, key=lambda row: row["clear_s"])[(len(waves) - 1) // 2]
    due, answered = wave["due_s"], wave["answered_s"]
    at = np.sort(np.concatenate([due, answered]))
    backlog = np.searchsorted(due, at, side="right") - np.searchsorted(answered, at, side="right")
    clear = f"all answered {wave['clear_s'] * 1000:,.0f} ms after its end"
    title = f"A burst of {number(wave['rate'])} requests/s for {wave['length_s']:g} s: {clear}"
    label = "requests due and not answered"
    figure, axes = plots.canvas(title, "seconds since the burst began", label, results.stamp)
    axes.step(at, backlog, where="post", linewidth=1)
    axes.axvline(wave["length_s"], color="#555555", linestyle="--", linewidth=1)
    axes.annotate("end of the burst", (wave["length_s"], 1), (-6, -4), ("data", "axes fraction"), "offset points",
                  ha="right", va="top", color="#555555", fontsize=9)  # fmt: skip
    plots.plain_numbers(axes.yaxis)
    axes.set_ylim(bottom=0)
    results.figure("http_burst", figure)


def _name(row: Row) -> str:
    if row["load"] in ("open", "burst"):
        return f"{row['load']}, {number(row['rate'])} requests/s"
    return f"{row['load']}, {row['connections']} connection{'s' * (row['connections'] > 1)}"


def _told(row: Row) -> str:
    told = f"{row['messages_per_s']:8,.0f} messages/s  p50 {row['p50_ms']:.1f} ms  p99 {row['p99_ms']:.1f} ms"
    if row["load"] == "burst":
        told += f"  cleared after {row['clear_s']:.3f} s"
    return told + (f"  {row['errors']} ERRORS" if row["errors"] else "")
