"""``scripts/progress.py``, which stands between a newcomer and minutes of silence."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.config.paths import ROOT

PROGRESS = ROOT / "scripts" / "progress.py"
PIP = """
import time
print("Collecting torch==2.13.0 (from sluice==0.1.0)", flush=True)
print("WARNING: a link is ignored", flush=True)
time.sleep(1)
"""


def progress(log: Path, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRESS), str(log), "Installing", sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_succeeds_is_a_title_and_a_time_and_warnings_stay_in_the_log(tmp_path: Path) -> None:
    done = progress(tmp_path / "log", "print('WARNING: odd')")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "Installing"
    assert done.stdout.endswith("s  done\n")
    assert "odd" not in done.stdout + done.stderr
    assert "odd" in (tmp_path / "log").read_text()


def test_what_fails_shows_its_end_its_status_and_where_the_rest_is(tmp_path: Path) -> None:
    done = progress(tmp_path / "log", "print(*range(2000), sep='\\n'); raise SystemExit(7)")
    assert done.returncode == 7
    assert "1999" in done.stderr
    assert "\n999\n" not in done.stderr
    assert "exit status 7" in done.stderr
    assert str(tmp_path / "log") in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads a terminal's end as Linux tells it")
def test_a_terminal_sees_what_is_done_meanwhile(tmp_path: Path) -> None:
    command = [sys.executable, str(PROGRESS), str(tmp_path / "log"), "Installing", sys.executable, "-c", PIP]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 4096)
            except OSError:  # the terminal's other end is closed
                break
        assert process.wait() == 0
    os.close(ours)
    assert b"Collecting torch==2.13.0" in seen
    assert b"from sluice" not in seen
    assert b"ignored" not in seen
    assert seen.endswith(b"done\r\n")
