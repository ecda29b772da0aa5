"""Redis changes its primary under load: ``python -m sluice.bench.failover [--times 20]``.

A primary and a replica behind one address are broker and result backend of a web process and two workers, to which
callers send single messages and jobs all the time. Again and again the replica is promoted and the primary follows it;
connections to the old one stay, and for half a second nobody is in charge. Prints what became of every message; ends
with status 1 if one that was accepted has no answer, or if a process ended.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from sluice.bench.environment import without_own_settings
from sluice.harness.failover import Pair
from sluice.harness.load import Load
from sluice.harness.process import wait_for
from sluice.harness.web import Web
from sluice.harness.worker import Worker, environment

NOBODY_IN_CHARGE_S = 0.5
WORKERS = 2
#: Messages answered at once between two failovers.
BETWEEN = 50


def run(times: int) -> bool:
    """Whether nothing was lost and no process ended."""
    with tempfile.TemporaryDirectory(prefix="sluice-failover-") as root, ExitStack() as stack:
        folder = Path(root)
        pair = stack.enter_context(Pair(folder / "redis"))
        env = environment(pair.url, pair.url)
        workers = [Worker(folder, env) for _ in range(WORKERS)]
        web = Web(folder, env)
        for child in (*workers, web):
            stack.callback(child.stop)
        for worker in workers:
            worker.ready()
        web.ready()
        with Load(web) as load:
            for number in range(1, times + 1):
                _one(pair, load, number)
        counts = load.settle()
        ended = [child.log.name for child in (*workers, web) if child.returncode is not None]
    print(f"{times} failovers: {counts.at_once} messages answered at once, {counts.later} in jobs or later")
    print(f"{counts.refused} refused with 429 or 503, {len(counts.odd)} odd answers, {len(counts.lost)} lost")
    print(f"{len(ended)} processes ended", *ended, *counts.odd[:5], *counts.lost[:5], flush=True)
    return not (counts.lost or counts.odd or ended)


def _one(pair: Pair, load: Load, number: int) -> None:
    before, began = load.counts.at_once, time.monotonic()
    pair.change_places(lambda: time.sleep(NOBODY_IN_CHARGE_S))
    wait_for(lambda: load.counts.at_once > before + BETWEEN, "answers after a failover", 60)
    print(f"failover {number:3}: {BETWEEN} answers {time.monotonic() - began:4.1f} s after its start", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    with without_own_settings():
        return 0 if run(options.times) else 1


if __name__ == "__main__":
    raise SystemExit(main())
