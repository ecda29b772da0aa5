"""The backlog through a real queue and worker, with a tiny model."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sluice.bench import backlog
from sluice.bench.models import mbert_folder
from sluice.bench.results import Results
from sluice.harness import texts


@pytest.mark.usefixtures("redis_installed")
def test_both_ways_are_measured_and_compared(tmp_path: Path) -> None:
    model = mbert_folder(tmp_path / "m", layers=1, hidden=32, heads=2, rows=5000)
    loaded = texts.load(count=2_000, distinct=True)  # stored over many looks at the results
    settings = {"device": "cpu", "precision": "fp32", "model_threads": 1}
    rows = backlog.run(loaded, model=model, runs=1, batch=16, envelope=8, note=lambda line: None, **settings)
    assert [row["way"] for row in rows] == ["forward", "queue"]
    assert all(row["messages_per_s"] > 0 and row["precision"] == "float32" for row in rows)
    alone, queued = rows
    assert queued["share"] == pytest.approx(queued["tokens_per_s"] / alone["tokens_per_s"])
    assert queued["model_busy"] > 0
    backlog.report(rows, Results(tmp_path / "out", measurement="backlog"))
    with (tmp_path / "out" / "backlog_summary.csv").open() as file:
        assert "queue over forward, tokens/s" in [line["ratio"] for line in csv.DictReader(file)]


def test_a_backlog_of_two_batches_shows_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too few"):
        backlog.run(["see you"] * 128, model=tmp_path, batch=64)
