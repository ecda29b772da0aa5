"""Ctrl-C at any moment of a command's start ends it without a traceback."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from sluice.cli.processes import environment, sluice
from sluice.config.paths import ROOT
from sluice.harness.process import wait_for

#: Seconds; a busy machine stretches a start, an idle one is through within half of them.
DELAYS_S = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0)
#: 130, and its other form: ended by the signal itself.
STOPPED = (130, -signal.SIGINT)
#: What runs before Ctrl-C can be made harmless: Python, and the first lines of ours.
FIRST = (
    "<frozen ",
    sysconfig.get_path("stdlib"),
    *(str(ROOT / "sluice" / "cli" / name) for name in ("__main__", "interrupt")),
)
COMMANDS = {
    "config": sluice("config"),
    "predict --local": sluice("predict", "--local", "see you at eight"),
    "backfill": sluice("backfill", "no-such-file.csv", "-o", "out.csv"),
    "worker": sluice("worker"),
    "as a module": [sys.executable, "-P", "-m", "sluice.cli.main", "--help"],
}


def interrupted(command: Sequence[str], delay_s: float, folder: Path) -> subprocess.CompletedProcess[str]:
    """The end of a command that got a SIGINT after so many seconds."""
    env = environment(
        SLUICE_STATE_DIR=str(folder), SLUICE_BROKER_URL="redis://127.0.0.1:1/0", SLUICE_MODEL="simulated:"
    )
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_interrupt_at_the_start_leaves_no_traceback(name: str, tmp_path: Path) -> None:
    stopped = 0
    for delay_s in DELAYS_S:
        done = interrupted(COMMANDS[name], delay_s, tmp_path)
        if of_python_itself(done.stderr):
            continue
        assert "Traceback" not in done.stderr, delay_s
        assert done.returncode in (0, 1, *STOPPED), (delay_s, done.stderr)
        stopped += done.returncode in STOPPED
    assert stopped


def of_python_itself(err: str) -> bool:
    """Whether it was interrupted while Python itself started, before our first lines had run: nothing can help that."""
    files = re.findall(r'File "(.*?)"', err)
    return "init_import_site" in err or (bool(files) and all(file.startswith(FIRST) for file in files))


def test_who_has_it_ignored_goes_on(tmp_path: Path) -> None:
    """As after ``nohup`` or ``&`` in a script."""
    code = "import signal; from sluice.cli import interrupt; signal.signal(signal.SIGINT, signal.SIG_IGN);"
    code += " interrupt.ends_quietly(); interrupt.raises(); signal.raise_signal(signal.SIGINT); print('on')"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment(), capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "on\n"


def test_a_command_handles_its_own(tmp_path: Path) -> None:
    """Once it runs an interrupt is its own: here one that reads stdin says that it was stopped."""
    env = environment(SLUICE_STATE_DIR=str(tmp_path), SLUICE_MODEL="simulated:")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        sluice("predict", "--local"), env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("see you at eight\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        wait_for(lambda: process.poll() is not None, "its end")
        assert process.stderr is not None
        assert process.returncode in STOPPED
        assert process.stderr.read().splitlines()[-1] == "sluice: stopped"
