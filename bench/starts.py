"""Two workers start on full queues, again and again: ``python -m sluice.bench.starts [--times 20]``.

On Redis and on RabbitMQ, with Celery's default options; in turn both at once, one while the other is at work, and two
from one command. Prints how many starts were flawless, and ends with status 1 if one was not.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

from sluice.bench.environment import without_own_settings
from sluice.harness.servers import RabbitServer, RedisServer
from sluice.harness.starts import WAYS, faults
from sluice.harness.worker import environment

BROKERS = ("redis", "rabbitmq")


def run(times: int, brokers: Sequence[str] = BROKERS) -> dict[str, int]:
    """By broker, how many of ``times`` starts were flawless; prints each."""
    with tempfile.TemporaryDirectory(prefix="sluice-starts-") as root, ExitStack() as stack:
        return {broker: _flawless(Path(root), broker, times, stack) for broker in brokers}


def _flawless(root: Path, broker: str, times: int, stack: ExitStack) -> int:
    env = _servers(root, broker, stack)
    flawless = 0
    for number, (name, way) in zip(range(1, times + 1), cycle(WAYS.items()), strict=False):
        folder = root / f"{broker}-{number}"
        folder.mkdir()
        began = time.monotonic()
        found = faults(way, folder, env)
        flawless += not found
        told = "; ".join(found) or "well"
        print(f"{broker:8} {number:3} {name:11} {time.monotonic() - began:5.1f} s  {told}", flush=True)
    print(f"{broker}: {flawless} of {times} starts of two workers were flawless", flush=True)
    return flawless


def _servers(root: Path, broker: str, stack: ExitStack) -> dict[str, str]:
    """Private servers until the end of the run; returns the environment of workers and clients."""
    folder = root / broker
    folder.mkdir()
    redis = RedisServer(folder)
    redis.start()
    stack.callback(redis.stop)
    if broker == "redis":
        return environment(redis.url, redis.url)
    rabbit = RabbitServer(folder)
    stack.callback(rabbit.close)
    rabbit.start()
    return environment(rabbit.url, redis.url)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--brokers", nargs="+", choices=BROKERS, default=BROKERS)
    options = parser.parse_args()
    with without_own_settings():
        counts = run(options.times, options.brokers)
    return 0 if all(count == options.times for count in counts.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
