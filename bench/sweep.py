"""`sluice bench sweep`: how the largest batch, and the longest wait for it, trade throughput for latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sluice.bench import plots
from sluice.bench.client import Load, measure, warm
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.service import Servers, Service
from sluice.bench.statistics import Row, summarise
from sluice.harness.process import wait_for

#: The most messages in a batch, and the longest wait in ms.
SETTINGS: tuple[tuple[int, float], ...] = ((1, 0), (2, 10), (4, 10), (8, 20), (16, 20), (32, 50), (64, 5))
#: Fast enough that batches of one finish 25,000 requests within half a minute.
DEFAULTS = {"model": "simulated:?batch_ms=1&message_us=20"}
KEYS = ("batching", "max_batch", "wait_ms")
FIGURES = ("requests_per_s", "p50_ms", "p95_ms", "p99_ms", "mean_batch", "errors")
BASELINE = 1
BESIDE_BASELINE = 8
WORKER = ("-m", "sluice.bench.instrumented_worker")


def run(
    texts: Sequence[str],
    *,
    runs: int = 3,
    connections: int = 50,
    requests: int = 500,
    broker: str = "redis",
    batching: str = "dynamic",
    grid: Sequence[tuple[int, float]] = SETTINGS,
    **settings: Any,
) -> list[Row]:
    """Measure every setting of ``grid``, and batching switched off.

    Args:
        requests: that each connection sends, one after the other.
        batching: the mode in which the settings count.
        settings: of the service, by field name.

    Returns:
        A row per run and setting. ``sizes`` is batches by their size; ``mean_batch`` messages per batch.

    Raises:
        RuntimeError: some request was not answered with 200 and a label.
    """
    settings = {**DEFAULTS, **settings}
    contenders = [("none", 1, 0.0), *((batching, size, float(wait)) for size, wait in grid)]
    rows: list[Row] = []
    with Servers(broker) as servers:
        for turn in range(1, runs + 1):
            for mode, size, wait in contenders:
                chosen = {**settings, "batching": mode, "max_batch_size": size, "batch_wait_ms": wait}
                with Service(servers, broker, worker=WORKER, **chosen) as service:
                    row = {"run": turn, "batching": mode, "max_batch": size, "wait_ms": wait}
                    row |= _measure(service, texts, connections, requests)
                rows.append(row)
                progress(
                    f"run {turn} {_name(row):14} {row['requests_per_s']:7,.0f} requests/s  p95 {row['p95_ms']:.1f} ms"
                    f"  {row['mean_batch']:.1f} messages a batch  {row['requests']:,} answers"
                )
    return rows


def _measure(service: Service, texts: Sequence[str], connections: int, requests: int) -> Row:
    warm(Load(service.predict_url, texts, connections, seconds=1.5, warm_up_s=0))
    measured = measure(Load(service.predict_url, texts, connections, requests=requests, warm_up_s=0))
    if measured.errors or len(measured.answered) != connections * requests:
        raise RuntimeError(f"{len(measured.answered)} of {connections * requests} requests answered; {measured.errors}")
    wait_for(lambda: _counted(service) >= connections * requests, "the worker's statistics", every_s=0.2)
    sizes = _sizes(service)
    return {**measured.row(), "batches": sum(sizes.values()), "mean_batch": _mean(sizes), "sizes": sizes}


def _counted(service: Service) -> int:
    """Messages in all batches; the warm-up, the same load, counts too."""
    return sum(size * count for size, count in _sizes(service).items())


def _mean(sizes: dict[int, int]) -> float:
    return sum(size * count for size, count in sizes.items()) / max(1, sum(sizes.values()))


def _sizes(service: Service) -> dict[int, int]:
    """Batches by size so far."""
    found: dict[int, int] = {}
    for worker in service.stats()["workers"]:
        for size, count in worker.get("sizes", {}).items():
            found[int(size)] = found.get(int(size), 0) + count
    return found


def summary(rows: Sequence[Row]) -> list[Row]:
    """Medians and spreads, and the throughput over that of batching switched off."""
    lines = summarise(rows, KEYS, FIGURES)
    off = next((line["requests_per_s"] for line in lines if line["batching"] == "none"), float("nan"))
    return [{**line, "over_none": line["requests_per_s"] / off} for line in lines]


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the figures, and draw them."""
    lines = summary(rows)
    results.table("batch_sweep", lines)
    results.note(runs=[{key: value for key, value in row.items() if key != "latency_s"} for row in rows])
    print_table("Batch sweep: medians (smallest–largest run)", lines, [*KEYS, *FIGURES, "over_none"])
    plot(rows, results)


def plot(rows: Sequence[Row], results: Results) -> None:
    """Throughput and p95 by setting, two latency distributions, and how full batches were."""
    lines = summary(rows)
    names = [_name(line).replace(" / ", "\n") for line in lines]
    for y, name, label, title in (
        ("requests_per_s", "throughput_vs_batch", "requests/s", "Throughput by batch limit"),
        ("p95_ms", "p95_vs_batch", "p95 latency, ms", "95th percentile of latency by batch limit"),
    ):
        figure, axes = plots.canvas(title, "most messages in a batch, and longest wait", label, results.stamp)
        plots.bars(axes, names, lines, y, [plots.COLOURS[7 if line["batching"] == "none" else 0] for line in lines])
        plots.plain_numbers(axes.yaxis)
        results.figure(name, figure)
    _plot_cdf(rows, results)
    _plot_fullness(rows, results)


def _plot_cdf(rows: Sequence[Row], results: Results) -> None:
    series = {
        name: np.concatenate(found)
        for name, found in (
            ("batching off", [row["latency_s"] for row in rows if row["batching"] == "none"]),
            *(
                (f"batches of at most {size}", [row["latency_s"] for row in rows if _limited(row, size)])
                for size in (BASELINE, BESIDE_BASELINE)
            ),
        )
        if found
    }
    title = "Latency: no batching beside batches of at most 8"
    figure, axes = plots.canvas(title, "latency, ms", "requests answered, %", results.stamp)
    plots.cdf(axes, series)
    results.figure("latency_cdf_baseline_vs_batch8", figure)


def _limited(row: Row, size: int) -> bool:
    return row["batching"] != "none" and row["max_batch"] == size


def _plot_fullness(rows: Sequence[Row], results: Results) -> None:
    """One histogram per setting that can batch: the share of batches by how full they were."""
    chosen = [
        setting for setting in dict.fromkeys((row["max_batch"], row["wait_ms"]) for row in rows) if setting[0] > 1
    ]
    if not chosen:
        return
    edges = np.linspace(0, 100, 11)
    title, x = "How full batches were", "messages in the batch, % of the limit"
    figure, grid = plots.canvases(title, len(chosen), results.stamp)
    for axes, setting in zip(grid, chosen, strict=True):
        sizes: dict[int, int] = {}
        for row in rows:
            if (row["max_batch"], row["wait_ms"]) == setting:
                for size, count in row["sizes"].items():
                    sizes[size] = sizes.get(size, 0) + count
        full = 100 * np.array(list(sizes), dtype=float) / setting[0]
        counts = np.array(list(sizes.values()), dtype=float)
        axes.hist(full, edges, weights=100 * counts / max(1.0, counts.sum()), color=plots.COLOURS[0], edgecolor="white")
        axes.set_title(f"at most {setting[0]}, wait {setting[1]:g} ms", fontsize=10)
        axes.set_ylim(0, 100)
    figure.supxlabel(x, fontsize=11)
    figure.supylabel("batches, %", fontsize=11)
    results.figure("batch_fullness", figure)


def _name(row: Row) -> str:
    return "off" if row["batching"] == "none" else f"{row['max_batch']} / {row['wait_ms']:g} ms"
