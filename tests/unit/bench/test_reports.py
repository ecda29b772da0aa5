"""What the measurements make of their rows: the files that documents rely on, and the figures in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sluice.bench import http, modes, queued, scale, sweep
from sluice.bench.results import Results
from sluice.bench.statistics import Row


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)


def figures(rate: float, **more: Any) -> Row:
    """What a load's row holds."""
    latency = np.linspace(0.001, 10 / rate, 50)
    ms = {name: float(1000 * latency[place]) for name, place in (("p50_ms", 25), ("p95_ms", 47), ("p99_ms", 49))}
    row = {"requests": 50, "requests_per_s": rate, "messages_per_s": rate, "max_ms": 9.0, "errors": 0, **ms}
    return {**row, "latency_s": latency, **more}


def written(results: Results, name: str) -> list[dict[str, str]]:
    with (results.folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def assert_pictures(results: Results, *names: str) -> None:
    for name in names:
        assert (results.folder / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name
        assert (results.folder / f"{name}.png").stat().st_size > 8_000, name


def test_http(results: Results) -> None:
    rows = []
    for run, rate in ((1, 900.0), (2, 1100.0), (3, 1000.0)):
        key = {"run": run, "broker": "redis", "connections": None, "rate": None, "messages": 1}
        rows += [
            {**key, "load": "closed", "connections": 1, **figures(rate)},
            {**key, "load": "closed", "connections": 64, **figures(2 * rate)},
            {**key, "load": "jobs", "connections": 8, "messages": 64, **figures(rate)},
            {**key, "load": "open", "rate": 500.0, "late": run, "clear_s": 0.1, **figures(500)},
        ]
        wave = {"length_s": 2.0, "due_s": np.arange(0, 2, 0.1), "answered_s": np.arange(0, 2, 0.1) + 0.05 * run}
        rows.append({**key, "load": "burst", "rate": 10.0, "late": 0, "clear_s": 0.05 * run, **wave, **figures(10)})
    http.report(rows, results)
    table = {(row["load"], row["connections"]): row for row in written(results, "http.csv")}
    assert len(table) == 5
    assert table["closed", "64"]["messages_per_s"] == "2000"
    assert table["closed", "64"]["messages_per_s_min"] == "1800"
    assert table["burst", ""]["clear_s"] == "0.1"
    assert table["open", ""]["late_max"] == "3"
    assert len(written(results, "http_runs.csv")) == 15
    assert_pictures(results, "http_throughput", "http_latency_cdf", "http_open_latency_cdf", "http_burst")


def test_sweep_writes_the_files_that_were_promised(results: Results) -> None:
    rows = []
    for run in (1, 2, 3):
        for mode, size, wait in [("none", 1, 0.0), *(("dynamic", size, float(wait)) for size, wait in sweep.SETTINGS)]:
            key = {"run": run, "batching": mode, "max_batch": size, "wait_ms": wait}
            batches = {size: 90, max(1, size // 2): 10}
            rows.append({**key, **figures(300.0 * size + run), "mean_batch": 0.95 * size, "sizes": batches})
    sweep.report(rows, results)
    assert {path.name for path in results.folder.iterdir()} == {
        "batch_sweep.csv",
        "throughput_vs_batch.png",
        "p95_vs_batch.png",
        "latency_cdf_baseline_vs_batch8.png",
        "batch_fullness.png",
        "manifest.json",
    }
    table = {(row["batching"], row["max_batch"]): row for row in written(results, "batch_sweep.csv")}
    assert len(table) == 8
    assert table["dynamic", "4"]["requests_per_s"] == "1202"
    assert float(table["dynamic", "4"]["over_none"]) == pytest.approx(1202 / 302, rel=1e-4)
    assert table["none", "1"]["over_none"] == "1"
    manifest = json.loads((results.folder / "manifest.json").read_text())
    assert len(manifest["runs"]) == 24
    assert_pictures(results, "throughput_vs_batch", "p95_vs_batch", "latency_cdf_baseline_vs_batch8", "batch_fullness")


def test_modes_group_latency_by_length(results: Results) -> None:
    rows = []
    for mode in modes.MODES:
        for load in ("open", "closed"):
            row = figures(100.0)
            row |= {"length": np.arange(50) + 1, "latency_s": np.arange(50) / 1000}
            rows.append({"run": 1, "mode": mode, "load": load, **row})
    modes.report(rows, results)
    lines = [row for row in written(results, "modes_by_length.csv") if row["mode"] == "static"]
    assert len(lines) == modes.LENGTH_GROUPS
    assert sum(int(line["requests"]) for line in lines) == 50
    assert (lines[0]["shortest"], lines[-1]["longest"]) == ("1", "50")
    p50 = [float(line["p50_ms"]) for line in lines]
    assert p50 == sorted(p50)
    assert p50[0] < 5 < 40 < p50[-1]
    assert len(written(results, "modes.csv")) == 6
    assert_pictures(results, "modes_throughput", "modes_latency_open", "modes_latency_closed", "modes_by_length")


@pytest.mark.parametrize(
    ("messages", "workers", "seconds"), [(1, 1, 1.0), (10, 1, 1.5), (200, 1, 20.5), (200, 2, 10.5), (11, 2, 1.5)]
)
def test_the_limit_of_the_scaled_workload(messages: int, workers: int, seconds: float) -> None:
    assert scale.limit_s(messages, workers) == seconds


def test_scale(results: Results) -> None:
    rows = [
        {"run": run, "workers": workers, "messages": count, "seconds": count / workers + run}
        for run in (1, 2, 3)
        for workers in (1, 2)
        for count in (1, 50, 200)
    ]
    scale.report(rows, results)
    table = {(row["workers"], row["messages"]): row for row in written(results, "scale.csv")}
    assert table["2", "200"]["seconds"] == "102"
    assert table["2", "200"]["limit_s"] == "10.5"
    assert_pictures(results, "scale")


def test_queued_tasks_are_compared_within_a_round(results: Results) -> None:
    rates = {"Sluice": (400.0, 1000.0, 800.0), "celery-batches": (100.0, 500.0, 100.0)}
    rows = [
        {"contender": name, "broker": broker, "round": number + 1, "rate": rate}
        for name, each in rates.items()
        for broker in ("Redis", "RabbitMQ")
        for number, rate in enumerate(each)
    ]
    queued.report(rows, results)
    table = {(row["contender"], row["broker"]): row for row in written(results, "worker.csv")}
    assert table["Sluice", "Redis"]["rate"] == "800"
    assert table["Sluice", "Redis"]["over_celery_batches"] == "4", "of 4, 2 and 8; not 800 over 100"
    assert table["celery-batches", "RabbitMQ"]["over_celery_batches"] == "1"
    assert_pictures(results, "worker")
