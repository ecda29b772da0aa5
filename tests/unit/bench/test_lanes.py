"""What the measurement of the lanes makes of its rows."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from sluice.bench import lanes
from sluice.bench.feeder import Reading
from sluice.bench.results import Results
from sluice.bench.statistics import Row


def loads(run: int, p99_ms: float) -> list[Row]:
    key = {"run": run, "broker": "redis", "model": "fast", "batch_ms": 4.0}
    latency = np.linspace(0.001, 0.01, 50)
    return [
        {**key, "load": lanes.IDLE, "p50_ms": 3.0, "p99_ms": 6.0, "interactive_per_s": 15.0, "latency_s": latency},
        {**key, "load": lanes.BULK, "bulk_per_s": 1000.0},
        {**key, "load": lanes.LIGHT, "p50_ms": 8.0, "p99_ms": p99_ms, "bulk_per_s": 900.0, "latency_s": 2 * latency},
        {**key, "load": lanes.FULL, "bulk_per_s": 100.0, "interactive_per_s": 700.0},
    ]


def test_what_was_asked_for_is_worked_out_run_by_run(tmp_path: Path) -> None:
    results = Results(tmp_path)
    lanes.report([row for run, p99_ms in ((1, 10.0), (2, 14.0), (3, 12.0)) for row in loads(run, p99_ms)], results)
    with (tmp_path / "lanes.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["batches_more"], line["batches_more_min"], line["batches_more_max"]) == ("1.5", "1", "2")
    assert (line["kept"], line["bulk_share"], line["runs"]) == ("0.9", "0.125", "3")
    assert (tmp_path / "lanes.png").read_bytes().startswith(b"\x89PNG")


def test_the_rate_between_two_readings() -> None:
    assert Reading(10.0, 500).rate_until(Reading(12.0, 1500)) == pytest.approx(500)
