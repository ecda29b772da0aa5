"""What a measurement leaves behind: CSV, plots, and a manifest that gives nothing of the machine away."""

from __future__ import annotations

import csv
import json
import re
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from sluice.bench import plots
from sluice.bench.results import Results, number, print_table, without_paths
from sluice.config.paths import ROOT

SECRET = "hunter2"
PNG = b"\x89PNG\r\n"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setattr(sys, "argv", ["sluice", "bench", "http", "--out", str(tmp_path), "--texts=/home/me/sms.csv"])
    monkeypatch.setenv("SLUICE_MAX_BATCH_SIZE", "7")
    settings = {"model": str(ROOT / "models" / "sms-mini"), "packed": False, "api_keys": SECRET, "batching": "static"}
    return Results(tmp_path / "results", settings, measurement="http")


def test_the_manifest_says_how_it_was_made(results: Results) -> None:
    results.table("rates", [{"rate": 1.0}])
    manifest = json.loads((results.folder / "manifest.json").read_text())
    assert manifest["command"].startswith("sluice bench http --out ")
    assert manifest["command"].endswith("--texts=sms.csv")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*", manifest["date"])
    assert re.fullmatch(r"[0-9a-f]{10}(\+changes)?|unknown", manifest["commit"])
    assert manifest["machine"]["cores"] >= 1
    assert manifest["machine"]["memory_gib"] > 0
    assert manifest["libraries"]["celery"]
    assert manifest["measurement"] == "http"
    assert manifest["files"] == ["rates.csv"]


def test_the_manifest_has_the_settings_in_force(results: Results) -> None:
    results.note(more=1)
    manifest = json.loads((results.folder / "manifest.json").read_text())
    assert manifest["settings"]["batching"] == "static"
    assert manifest["settings"]["packed"] == "false"
    assert manifest["settings"]["model"] == "models/sms-mini"
    assert manifest["settings"]["max_batch_size"] == "64", "the caller's own variables do not reach the service"
    assert manifest["more"] == 1


def test_the_manifest_names_no_place_host_or_secret(results: Results, tmp_path: Path) -> None:
    results.table("rates", [{"rate": 1.0}])
    text = (results.folder / "manifest.json").read_text()
    for unwanted in (str(ROOT), str(tmp_path), str(Path.home()), "/home/me", SECRET, "state_dir"):
        assert unwanted not in text
    assert not re.search(r'[" =]~?/\w', text), "an absolute path"
    assert socket.gethostname() not in re.sub(r"localhost", "", text) or socket.gethostname() == "localhost"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--out /var/x/results", "--out results"),
        ("--texts=/a/b.csv --runs 3", "--texts=b.csv --runs 3"),
        (f"{ROOT}/models/sms-mini", "models/sms-mini"),
        ("~/private/mbert", "mbert"),
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("simulated:?batch_ms=3", "simulated:?batch_ms=3"),
        ("bench-results/http", "bench-results/http"),
    ],
)
def test_paths_are_cut_to_their_last_part(text: str, expected: str) -> None:
    assert without_paths(text) == expected


def test_a_table_keeps_figures_and_leaves_arrays_out(results: Results) -> None:
    rows = [{"name": "a", "rate": 1234.56789, "latency_s": np.zeros(3)}, {"name": "b", "rate": 2.0, "late": 3}]
    path = results.table("rates", rows)
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"name": "a", "rate": "1234.57", "late": ""},
            {"name": "b", "rate": "2", "late": "3"},
        ]


def test_plots_are_pictures(results: Results) -> None:
    rows = [{"x": x, "y": y, "y_min": y - 1, "y_max": y + 1} for x, y in ((1, 10.0), (16, 200.0), (64, 3000.0))]
    figures = {}
    for name in ("lines", "bars", "cdf"):
        figures[name], axes = plots.canvas("What was measured", "connections", "messages/s", results.stamp)
        if name == "lines":
            plots.lines(axes, {"one": rows, "two": rows}, "x", "y")
            plots.log_counts(axes, [1, 16, 64])
        elif name == "bars":
            plots.bars(axes, ["a", "b", "c"], rows, "y")
        else:
            plots.cdf(axes, {"one": np.array([0.001, 0.002]), "two": np.array([0.5])})
    figures["many"], grid = plots.canvases("Many", 4, results.stamp)
    assert len(grid) == 4
    for name, figure in figures.items():
        path = results.figure(name, figure)
        assert path.read_bytes().startswith(PNG)
        assert path.stat().st_size > 5_000
    manifest = json.loads((results.folder / "manifest.json").read_text())
    assert manifest["files"] == ["lines.png", "bars.png", "cdf.png", "many.png"]


def test_the_stamp_names_date_commit_and_processor(results: Results) -> None:
    assert re.match(r"\d{4}-\d\d-\d\d, commit \S+, .+, \d+ CPU cores?$", results.stamp)


def test_figures_read_well() -> None:
    values = (0.0123456, 12.345, 1234.5, 200.0, 3, "redis", None, float("nan"))
    assert [number(value) for value in values] == ["0.0123", "12.3", "1,234", "200", "3", "redis", "", ""]


def test_a_printed_table_shows_medians_with_their_spread(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"mode": "static", "runs": 3, "rate": 11.0, "rate_min": 10.0, "rate_max": 30.0, "latency_s": np.zeros(2)}]
    print_table("Rates", rows)
    shown = capsys.readouterr().out
    assert "11 (10–30)" in shown
    assert "latency" not in shown
