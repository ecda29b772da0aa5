"""`sluice tune`: a table of points, and lines that can be pasted as settings."""

from __future__ import annotations

import re
from pathlib import Path

from sluice.config.settings import read
from tests.unit.cli.conftest import Run

SETTING = re.compile(r"^SLUICE_([A-Z_]+)=(\S+)$", re.MULTILINE)
PROMISE = re.compile(r"up to ([\d,]+) messages/s .* within (\d+) ms")


def test_it_prints_points_fit_and_settings_that_are_valid(run: Run) -> None:
    done = run("tune", "--seconds", "0.5", SLUICE_MODEL="simulated:?batch_ms=3&message_us=20")
    assert done.returncode == 0, done.stderr
    assert "simulated 1 on cpu" in done.stdout
    assert re.search(r"│ +64 │ +\d+ │ +\d+\.\d\d │ +\d+\.\d\d │ +[+-]\d+% │", done.stdout)
    assert "A batch costs" in done.stdout
    given = {name.lower(): value for name, value in SETTING.findall(done.stdout)}
    assert set(given) == {"max_batch_tokens", "max_batch_size", "batch_wait_ms"}
    assert read(**given).max_batch_size > 64


def test_a_stricter_target_asks_for_smaller_batches(run: Run, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("one message\n\nand another, a bit longer than the first one\n", encoding="utf-8")
    sizes = []
    for latency in ("100", "1000"):
        done = run(
            *("tune", "--seconds", "0.3", "--latency", latency, "--texts", str(texts)),
            SLUICE_MODEL="simulated:?batch_ms=10&message_us=2000",
        )
        found = PROMISE.search(done.stdout)
        assert found, done.stdout + done.stderr
        assert int(found[2]) <= int(latency)
        sizes.append(int(dict(SETTING.findall(done.stdout))["MAX_BATCH_SIZE"]))
    assert sizes[0] < sizes[1]


def test_what_cannot_be_reached_is_said(run: Run) -> None:
    done = run("tune", "--seconds", "0.1", "--latency", "2", SLUICE_MODEL="simulated:?batch_ms=30")
    assert "2 ms cannot be promised on this device" in done.stdout


def test_a_file_without_messages_is_one_line(run: Run, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n \n", encoding="utf-8")
    done = run("tune", "--texts", str(texts))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "holds no messages" in done.stderr
