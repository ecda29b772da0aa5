"""Redis changes its primary under load, behind one address: nothing that was accepted is lost, and no process ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sluice.harness.failover import Pair
from sluice.harness.load import Load
from sluice.harness.process import rises, wait_for
from sluice.harness.servers import Missing
from sluice.harness.web import Web
from sluice.harness.worker import Worker, environment
from tests.conftest import missing


def test_a_failover_under_load_loses_nothing(folder: Path, start_worker: Callable[..., Worker]) -> None:
    """``python -m sluice.bench.failover`` does it again and again."""
    try:
        pair = Pair(folder / "redis")
    except Missing as exc:
        missing(exc)
    with pair:
        env = environment(pair.url, pair.url)
        workers = [start_worker(env).ready() for _ in range(2)]
        web = Web(folder, env)
        try:
            web.ready()
            with Load(web) as load:
                for _ in range(2):
                    wait_for(rises(lambda: load.counts.at_once, 20), "work", 60)
                    pair.change_places(lambda: time.sleep(0.5))
            counts = load.settle()
            assert (counts.lost, counts.odd) == ([], [])
            assert counts.at_once > 40
            assert counts.later > 0
            assert [child.returncode for child in (web, *workers)] == [None, None, None]
        finally:
            web.stop()
