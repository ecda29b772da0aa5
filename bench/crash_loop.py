"""The crash loop: ``python -m sluice.bench.crash_loop [--broker rabbitmq] [--delivery-limit 20] [--messages 3060]``.

Accepts messages over HTTP, some of which take their worker's device down, and runs workers that are started again
whenever they end, as a process manager does. On RabbitMQ a policy limits the deliveries of every queue, so that what a
dying worker merely held is counted by the broker too. Ends with status 1 unless every accepted message has an answer
or an error of its own, and every job is finished.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sluice.bench.environment import without_own_settings
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.statistics import Row
from sluice.harness.crash_loop import Loop, accounted

BROKERS = ("redis", "rabbitmq")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sluice.bench.crash_loop",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--messages", type=int, default=3_060)
    parser.add_argument("--deadly", type=int, default=3, help="messages that take the device down")
    parser.add_argument("--delivery-limit", type=int, default=20, help="of every queue on RabbitMQ; 0: no policy")
    parser.add_argument("--broker", choices=BROKERS, help="that one only")
    parser.add_argument("--limit-s", type=float, default=900.0, help="seconds after which a run has failed")
    parser.add_argument("--out", type=Path, default=Path("bench-results/crash_loop"))
    options = parser.parse_args(argv)
    results = Results(options.out, measurement="crash_loop", **{k: v for k, v in vars(options).items() if k != "out"})
    rows: list[Row] = []
    with without_own_settings(), tempfile.TemporaryDirectory(prefix="sl-loop-") as name:
        for broker in (options.broker,) if options.broker else BROKERS:
            loop = Loop(
                Path(name, broker), broker, options.delivery_limit, options.messages, options.deadly, options.limit_s
            )
            rows.append(loop.run(progress))
    results.table("crash_loop", rows)
    print_table("Messages accepted before a crash loop", rows)
    return 0 if all(map(accounted, rows)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
