"""A model's tokenizer alone, by threads: ``python -m sluice.bench.tokenizer MODEL [--texts FILE.csv] [--count 65536]``.

Each number of threads has a process of its own, for the tokenizer's pool cannot change once it is there.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from sluice.bench.results import Results, print_table
from sluice.bench.statistics import Row
from sluice.config.paths import ROOT
from sluice.harness import texts as bench_texts

THREADS = (1, 2, 4, 8, 16)
COUNT = 65_536
BATCH = 256
REPEATS = 3
#: Most tokens of a message.
LIMIT = 96


def run(model: Path, count: int = COUNT, texts: Path | None = None) -> list[Row]:
    """A row for each number of threads that this machine has cores for: ``threads``, ``messages_per_s``."""
    cores = len(os.sched_getaffinity(0))
    rows: list[Row] = []
    for threads in sorted({min(wanted, cores) for wanted in THREADS}):
        command = [sys.executable, "-m", "sluice.bench.tokenizer", str(model), "--threads", str(threads)]
        command += ["--count", str(count), *(("--texts", str(texts)) if texts else ())]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
        rows.append({"threads": threads, "messages_per_s": float(done.stdout.split()[-1])})
    return rows


def rate(model: Path, threads: int, count: int, texts: Path | None) -> float:
    """Messages/s of the model's tokenizer, as the worker uses it; the best of three."""
    from tokenizers import Tokenizer

    from sluice.worker.engine.tokenizing import spread
    from sluice.worker.model.encoder import TextEncoder

    spread(threads, "cpu")
    encoder = TextEncoder(Tokenizer.from_file(str(model / "tokenizer.json")), LIMIT, 0, 1)
    messages = bench_texts.load(texts, count=count, distinct=True)
    best = 0.0
    for _ in range(REPEATS):
        began = time.perf_counter()
        for start in range(0, len(messages), BATCH):
            encoder.encode(messages[start : start + BATCH])
        best = max(best, len(messages) / (time.perf_counter() - began))
    return best


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the rates."""
    results.table("tokenizer", rows)
    print_table("Tokenising", rows)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sluice.bench.tokenizer",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="a folder with a tokenizer.json")
    parser.add_argument("--texts", type=Path, help="a CSV with a column text")
    parser.add_argument("--count", type=int, default=COUNT, help="texts")
    parser.add_argument("--threads", type=int, default=0, help="that number only, and only print the rate")
    parser.add_argument("--out", type=Path, default=Path("bench-results/tokenizer"))
    options = parser.parse_args(argv)
    if options.threads:
        print(rate(options.model, options.threads, options.count, options.texts))
        return 0
    results = Results(options.out, {"model": str(options.model)}, measurement="tokenizer", texts=options.count)
    report(run(options.model, options.count, options.texts), results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
