"""The script for CUDA machines, tried on the CPU: its stages are processes of their own."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest

from sluice.bench import gpu
from sluice.bench.gpu_busy import GpuBusy


@pytest.fixture(autouse=True)
def one_thread_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_stage_leaves_its_figures_and_the_summary_holds_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model, out = str(tmp_path / "m"), tmp_path / "out"
    options = ["--device", "cpu", "--quick", "--model", model, "--stages", "tokenizer", "--out", str(out)]
    assert gpu.main(options) == 0
    with (out / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["stage"] for row in rows} == {"tokenizer"}
    assert rows[0]["figure"].startswith("tokenising, 1 thread")
    assert float(rows[0]["value"]) > 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["failed"] == {}
    assert manifest["machine"]["cores"] >= 1
    assert "Summary: " in capfd.readouterr().out


def test_a_stage_that_fails_is_told_and_does_not_end_the_script(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("body\nhello\n")
    options = ["--device", "cpu", "--quick", "--model", str(tmp_path / "m"), "--texts", str(wrong)]
    assert gpu.main([*options, "--stages", "tokenizer", "--out", str(tmp_path / "out")]) == 1
    failed = json.loads((tmp_path / "out" / "manifest.json").read_text())["failed"]
    assert failed == {"tokenizer": "ended with status 1"}


def test_a_stage_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    options = gpu.arguments(["--device", "cpu", "--quick", "--out", str(tmp_path), "--model", str(tmp_path)])
    began = time.monotonic()
    assert "not finished within" in gpu._run_apart("http", options, 0.2)
    assert time.monotonic() - began < gpu.KILL_AFTER_S + 5


def test_how_busy_the_gpu_is_comes_from_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\n[ "$2" = 1 ] && printf "80\\n100\\n"\nexec sleep 20\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with GpuBusy("cuda:1", print) as busy:
        time.sleep(0.3)
    assert busy.share == 0.9
    with GpuBusy("cpu", print) as none:
        pass
    assert none.share is None


def test_a_target_is_reached_from_the_right_side() -> None:
    assert gpu.figure("rate", 50_000, "messages/s", 50_000)["reached"] == "yes"
    assert gpu.figure("p99", 51, "ms", 50, less=True)["reached"] == "NO"
    assert gpu.figure("rate", 1, "messages/s")["reached"] is None
