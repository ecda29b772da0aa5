"""progress.py LOG TITLE COMMAND…: runs a command, and shows meanwhile what it does and for how long.

Its output goes to LOG; of that, the last lines are shown if it fails. On a terminal one line is redrawn, elsewhere a
line is printed now and then. The exit status is the command's. Needs nothing but Python: it runs before all else is
installed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

TICK_S = 0.25
#: Seconds between lines where none can be redrawn.
LINE_EVERY_S = 10.0
TAIL_BYTES = 16_384
TAIL_LINES = 25
PIP_INSTALLS = "Installing collected packages: "


def main(log: Path, title: str, command: list[str]) -> int:
    redraws = sys.stdout.isatty()
    print(title, flush=True)
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **PLAIN})
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    # The terminal sends Ctrl-C to the command too; this waits for its end.
    signal.signal(signal.SIGINT, lambda *_: None)
    began = printed = time.monotonic()
    while process.poll() is None:
        time.sleep(TICK_S)
        now = time.monotonic()
        if redraws or now - printed >= LINE_EVERY_S:
            printed = now
            show(f"  {spent(now - began):>6}  {doing(tail(log))}", redraws)
    status = process.returncode
    if redraws:
        sys.stdout.write("\r\033[K")
    if status == 0:
        print(f"  {spent(time.monotonic() - began):>6}  done", flush=True)
        return 0
    return explain(log, command, status)


#: What programs are told, so that the log is plain and comes at once.
PLAIN = {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "PIP_NO_COLOR": "1", "PIP_PROGRESS_BAR": "off"}


def explain(log: Path, command: list[str], status: int) -> int:
    """Show the end of the log of a command that failed; returns the exit status to end with."""
    if status < 0 or status in (130, 143):
        print(f"stopped; the log is in {log}", file=sys.stderr)
        return 128 - status if status < 0 else status
    lines = [line for line in tail(log) if line.strip()]
    print("\n".join(lines[-TAIL_LINES:]), file=sys.stderr)
    print(f"\nThis failed with exit status {status}:\n  {shlex.join(command)}", file=sys.stderr)
    print(f"Its whole output is in {log}", file=sys.stderr)
    return status


def doing(lines: list[str]) -> str:
    """What the command does now, by what it has printed last."""
    packages = next((line.count(",") + 1 for line in lines if line.startswith(PIP_INSTALLS)), 0)
    if packages:  # pip says no more until all of them are there
        there = len(list(Path(sysconfig.get_path("purelib")).glob("*.dist-info")))
        return f"unpacking: {min(there, packages)} of {packages} packages"
    for line in reversed(lines):
        if "Retrying (" in line:
            return "the package index does not answer, trying again"
        told = line.strip().partition(" (from ")[0]
        if told and not told.startswith(("WARNING", "DEPRECATION", "[notice]", "Requirement already")):
            return told
    return ""


def tail(log: Path) -> list[str]:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return file.read().decode("utf-8", "replace").splitlines()


def show(line: str, redraws: bool) -> None:
    if not redraws:
        print(line, flush=True)
        return
    sys.stdout.write(f"\r\033[K{line[: shutil.get_terminal_size().columns - 1]}")
    sys.stdout.flush()


def spent(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes}:{seconds:02d}" if minutes else f"{seconds} s"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
