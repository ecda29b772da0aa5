"""`sluice bench` itself: help, wrong usage, a missing extra, and one real run of a small size."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sluice.bench import commands
from sluice.cli.bench import TARGETS, bench
from sluice.cli.processes import environment, sluice
from sluice.config.paths import ROOT

LISTED = [name for name in TARGETS if name not in ("device", "backlog", "gpu")]


def test_help_lists_every_measurement() -> None:
    shown = CliRunner().invoke(bench, ["--help"])
    assert shown.exit_code == 0
    for name in TARGETS:
        assert f"  {name} " in shown.output


@pytest.mark.parametrize("name", LISTED)
def test_each_measurement_explains_itself(name: str) -> None:
    shown = CliRunner().invoke(bench, [name, "--help"])
    assert shown.exit_code == 0
    assert "--runs" in shown.output
    assert "--out" in shown.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["http", "--burst", "fast"], "1200x10"),
        (["http", "--burst", "0x5"], "more than 0"),
        (["http", "--rates", "many"], "numbers"),
        (["http", "--connections", "1,0"], "more than 0"),
        (["sweep", "--set", "colour=red"], "not NAME=VALUE of a setting"),
        (["sweep", "--set", "packed"], "not NAME=VALUE of a setting"),
        (["modes", "--broker", "kafka"], "kafka"),
        (["scale", "--texts", "no-such-file.csv"], "does not exist"),
    ],
)
def test_wrong_usage(arguments: list[str], complaint: str) -> None:
    shown = CliRunner().invoke(bench, arguments)
    assert shown.exit_code == 2
    assert complaint in shown.output


def test_texts_without_the_column(tmp_path: Path) -> None:
    file = tmp_path / "sms.csv"
    file.write_text("body\nhello\n")
    shown = CliRunner().invoke(bench, ["modes", "--texts", str(file), "--out", str(tmp_path / "out")])
    assert shown.exit_code == 2
    assert "text" in shown.output


def test_settings_by_either_name() -> None:
    assert commands._settings(("packed=false", "SLUICE_MAX_BATCH_SIZE=8"), "m") == {
        "model": "m",
        "packed": "false",
        "max_batch_size": "8",
    }


def test_a_missing_extra_is_one_line_that_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; "
        "from sluice.cli.main import run; sys.exit(run(['bench', 'http']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    install = "pip install -e '.[bench]' -c constraints.txt"
    assert done.stderr == f"sluice: `sluice bench http` needs matplotlib: {install}\n"


@pytest.mark.usefixtures("redis_installed")
def test_a_small_run_of_http_ends_with_its_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    small = "--runs 1 --seconds 0.5 --connections 2,4 --rates 50 --job-connections 1 --burst 100x0.5".split()
    command = sluice("bench", "http", *small, "--set", "max_batch_size=8", "--out", str(out))
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "HTTP: medians" in done.stdout
    assert "http_throughput.png" in done.stdout
    with (out / "http.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["load"], row["connections"], row["rate"]) for row in rows] == [
        ("closed", "2", ""),
        ("closed", "4", ""),
        ("jobs", "1", ""),
        ("open", "", "50"),
        ("burst", "", "100"),
    ]
    assert all(float(row["messages_per_s"]) > 0 and row["errors"] == "0" for row in rows)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["settings"]["max_batch_size"] == "8"
    assert manifest["settings"]["model"].startswith("simulated:")
    assert str(tmp_path) not in json.dumps(manifest)
