"""``python -m sluice.cli.demo``."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from sluice.cli.demo.http import Http
from sluice.cli.demo.service import DemoFailed, Service
from sluice.cli.demo.steps import backfill_archive, predict_and_wait, submit_then_poll
from sluice.cli.output import screen


def main() -> int:
    """Run every step; returns 0 only if all of them worked and the service stopped cleanly."""
    # Make and CI stop a job by SIGTERM; the service has to be stopped then too.
    signal.signal(signal.SIGTERM, _interrupt)
    console, began = screen(), time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
            service = Service(Path(folder), console)
            with service:
                http = Http(service.port)
                predict_and_wait(http, console)
                submit_then_poll(http, console)
                backfill_archive(service, Path(folder), console)
            console.print("service stopped, nothing left running", style="dim")
    except DemoFailed as exc:
        console.print(f"demo failed: {exc}", style="bold red", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("demo stopped", style="bold red")
        return 130
    console.print(f"\nAll of it worked, in {time.monotonic() - began:.0f} s. Next:\n", style="bold green")
    for command, opens in NEXT:
        console.print(f"  {command:<43} {opens}", soft_wrap=True)
    return 0


NEXT = (
    ("make run", "the same service, until Ctrl-C"),
    ("  http://127.0.0.1:8000/docs", "try the API in a browser"),
    ("  http://127.0.0.1:5555/", "Flower: workers and tasks"),
    (".venv/bin/sluice predict 'your own text'", "from another terminal"),
    (".venv/bin/sluice backfill IN.csv -o OUT.csv", "an archive of yours"),
)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
