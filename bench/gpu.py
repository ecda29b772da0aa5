"""Half precision beside single precision on a CUDA device, and the raw forward's rate in both.

``python -m bench.gpu [--model models/sms-mini] [--device cuda]``

Prints how many labels agree, the largest difference of a probability, and messages/s at batches of 64 and 256, on the
shipped sample archive. ``--device cpu`` runs the same code in single precision twice, to try the script.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time

from config.settings import ROOT, SHIPPED_MODEL, read
from tasks.errors import ModelUnavailable
from worker.model.base import Classifier
from worker.model.loader import load

BATCHES = (64, 256)
REPEATS = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(SHIPPED_MODEL))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--messages", type=int, default=3200)
    options = parser.parse_args()
    texts = sample(options.messages)
    try:
        half, single = (load(read(model=options.model, device=options.device, use_fp16=fp16)) for fp16 in (True, False))
    except ModelUnavailable as exc:
        print(f"bench.gpu: {exc}", file=sys.stderr)
        return 1
    agreement(half, single, texts)
    for model in (half, single):
        for size in BATCHES:
            print(
                f"{model.device} {model.precision:8} batches of {size:3}: {rate(model, texts, size):10,.0f} messages/s"
            )
    return 0


def sample(count: int) -> list[str]:
    with (ROOT / "samples" / "archive.csv").open(encoding="utf-8", newline="") as rows:
        return [row["text"] for row in csv.DictReader(rows)][:count]


def agreement(first: Classifier, second: Classifier, texts: list[str]) -> None:
    """Print how far two models' answers to the same texts differ."""
    ids = first.encode(texts)
    ours, theirs = forward_all(first, ids, 64), forward_all(second, ids, 64)
    same = sum(a.index(max(a)) == b.index(max(b)) for a, b in zip(ours, theirs, strict=True))
    worst = max(abs(x - y) for a, b in zip(ours, theirs, strict=True) for x, y in zip(a, b, strict=True))
    print(f"{first.precision} against {second.precision}: {same / len(texts):.2%} of {len(texts)} labels agree,")
    print(f"largest difference of a probability {worst:.1e}")


def forward_all(model: Classifier, ids: list[list[int]], size: int) -> list[list[float]]:
    return [row for start in range(0, len(ids), size) for row in model.forward(ids[start : start + size])]


def rate(model: Classifier, texts: list[str], size: int) -> float:
    """Messages/s of the forward alone, median of some runs; ``forward`` ends with the answers on the host."""
    model.warm_up(size)
    ids = model.encode(texts)
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        forward_all(model, ids, size)
        seconds.append(time.perf_counter() - began)
    return len(ids) / statistics.median(seconds)


if __name__ == "__main__":
    raise SystemExit(main())
