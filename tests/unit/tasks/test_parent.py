"""A child does not outlive its parent."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.harness.process import ROOT, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux sees to it")


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    child = "import time; from sluice.tasks.parent import end_with; end_with({}); print(1, flush=True); time.sleep(60)"
    parent = (
        "import os, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}.format(os.getpid())])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert process.stdout.readline() == "1\n"
    process.kill()
    process.wait()
    process.stdout.close()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the child's end")


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    code = "from sluice.tasks.parent import end_with; end_with(1 << 22); print('alive')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, b"")
