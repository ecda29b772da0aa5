"""A backlog of a large model's messages through the queue, beside the model's forward alone.

``python -m sluice.bench.backlog [--model FOLDER] [--vocabulary vocab.txt] [--texts FILE.csv] [--messages 320]
[--runs 3]``

Per run the forward alone takes batches of 64 in order of arrival, on every core; then, over the same texts, a worker
takes its place. The queue is full before the worker starts; its clock runs from the first stored result to the last,
so start-up counts for nothing and receiving, tokenising, storing and acknowledging for all they cost.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import redis
import torch

from sluice.bench.environment import without_own_settings
from sluice.bench.models import mbert_folder
from sluice.bench.progress import progress
from sluice.bench.results import Results, print_table
from sluice.bench.service import Servers
from sluice.bench.statistics import Row, median, summarise
from sluice.config.paths import ROOT
from sluice.config.settings import read
from sluice.harness import texts as bench_texts
from sluice.harness.process import wait_for
from sluice.harness.worker import Worker, client_app, environment
from sluice.tasks import keys as names
from sluice.tasks.publisher import Publisher
from sluice.tasks.wire.status import WorkerStatus
from sluice.worker.model.base import Classifier
from sluice.worker.model.loader import load

ENVELOPE = 16
BATCH = 64
POLL_S = 0.01
PATIENCE_S = 600.0
FIGURES = ("messages_per_s", "tokens_per_s")


def run(
    texts: Sequence[str],
    *,
    model: Path | str,
    runs: int = 3,
    batch: int = BATCH,
    envelope: int = ENVELOPE,
    note: Callable[[str], None] = progress,
    **settings: Any,
) -> list[Row]:
    """Two rows a run, ``forward`` and ``queue``, with `FIGURES`.

    The queue's has the ``share`` of the forward's tokens/s that it reaches, and ``model_busy``, the share of its time
    in which the worker's model computed: what is missing from 1 is what the queue costs, whatever the machine does.

    Args:
        texts: all different; cut to whole envelopes.
        batch: most messages in a batch, of both ways.
        envelope: messages in an envelope; several in a batch, so that the last batch's time is seen.
        settings: of the model and the worker, by field name, such as ``precision`` and ``model_threads``.
    """
    texts = list(texts[: len(texts) // envelope * envelope])
    if len(texts) < 3 * batch:
        raise ValueError(f"{len(texts)} texts are too few: give {3 * batch}, for a first and a last batch")
    given: dict[str, Any] = {"max_batch_size": batch, **settings, "model": str(model)}
    rows: list[Row] = []
    with without_own_settings(), Servers("redis") as servers:
        classifier = load(read(**given))
        classifier.warm_up(batch)
        lengths = [len(ids) for ids in classifier.encode(texts)]
        for number in range(1, runs + 1):
            alone: Row = {"run": number, "way": "forward", "precision": classifier.precision}
            alone |= forward(classifier, texts, batch, int(given.get("model_threads", 0)))
            queued: Row = {"run": number, "way": "queue", "precision": classifier.precision}
            queued |= queue(servers, texts, lengths, envelope, given)
            queued["share"] = queued["tokens_per_s"] / alone["tokens_per_s"]
            rows += [alone, queued]
            note(
                f"run {number}  forward alone {alone['messages_per_s']:.1f} messages/s, through the queue"
                f" {queued['messages_per_s']:.1f}: {queued['share']:.0%} (tokens)"
            )
    return rows


def forward(classifier: Classifier, texts: Sequence[str], batch: int, threads: int) -> Row:
    """The forward alone, in batches in order of arrival; tokenising is not in it."""
    torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
    ids = classifier.encode(list(texts))
    began = time.perf_counter()
    for start in range(0, len(ids), batch):
        classifier.forward(ids[start : start + batch])
    spent = time.perf_counter() - began
    torch.set_num_threads(1)  # what idles here must not spin beside the worker
    return {"messages_per_s": len(ids) / spent, "tokens_per_s": sum(map(len, ids)) / spent}


def queue(
    servers: Servers, texts: Sequence[str], lengths: Sequence[int], envelope: int, settings: dict[str, Any]
) -> Row:
    """The same texts, waiting in envelopes on the bulk lane when a worker starts."""
    servers.empty()
    url = servers.urls["redis"]
    env = environment(url, url, **settings)
    app = client_app(env)
    publisher = Publisher(app)
    envelopes = []
    for start in range(0, len(texts), envelope):
        envelopes.append(uuid4().hex)
        publisher.publish(list(texts[start : start + envelope]), lane="bulk", envelope_id=envelopes[-1])
    publisher.close()
    keys = [app.backend.get_key_for_task(one) for one in envelopes]
    client = redis.Redis.from_url(url)
    worker = Worker(servers.folder, env, level="warning")
    try:
        first, first_count = _stored(client, keys, 1, worker)
        last, _ = _stored(client, keys, len(keys), worker)
        token_s = _model_seconds_a_token(client, worker, len(texts))
    finally:
        worker.stop()
        client.close()
    tokens = list(accumulate(lengths, initial=0))
    done = first_count * envelope  # the oldest run first, so these are the first texts
    rate = (tokens[-1] - tokens[done]) / (last - first)
    return {
        "messages_per_s": (len(texts) - done) / (last - first),
        "tokens_per_s": rate,
        "model_busy": rate * token_s,
    }


def _model_seconds_a_token(client: redis.Redis, worker: Worker, messages: int) -> float:
    """How long the worker's model took, as the worker reports it once a second."""

    def found() -> WorkerStatus | None:
        packed = client.get(names.worker(worker.hostname))
        status = WorkerStatus.from_wire(cast(bytes, packed)) if packed else None
        return status if status is not None and status.counters.messages >= messages else None

    status = wait_for(found, "the worker's counts", 10)
    assert isinstance(status, WorkerStatus)
    return status.busy_s / status.counters.tokens


def _stored(client: redis.Redis, keys: Sequence[Any], count: int, worker: Worker) -> tuple[float, int]:
    """Wait until so many results are stored; returns the time and how many there are."""

    def found() -> tuple[float, int] | None:
        if worker.returncode is not None:
            raise RuntimeError(f"the worker ended with {worker.returncode}:\n{worker.output()[-3000:]}")
        stored = int(client.exists(*keys))
        return (time.perf_counter(), stored) if stored >= count else None

    answer = wait_for(found, f"{count} results", PATIENCE_S, POLL_S)
    assert isinstance(answer, tuple)
    return answer


def report(rows: Sequence[Row], results: Results) -> None:
    """Write and print the runs, their medians, and the share of the forward that the queue reaches."""
    summary = summarise(rows, ["way", "precision"], FIGURES)
    shares = [row["share"] for row in rows if "share" in row]
    busy = [row["model_busy"] for row in rows if "model_busy" in row]
    ratios: list[Row] = [
        {"ratio": "queue over forward, tokens/s", "median": median(shares), "target": 0.95},
        {"ratio": "time the worker's model computed", "median": median(busy), "target": None},
    ]
    results.table("backlog", rows)
    results.table("backlog_summary", [*summary, *ratios])
    print_table("A backlog through the queue, beside the forward alone", summary, ["way", "precision", *FIGURES])
    print_table("Shares, medians of the runs", ratios)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sluice.bench.backlog", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a model folder; default: mBERT's shape, made here")
    parser.add_argument("--vocabulary", type=Path, help="mBERT's vocab.txt, for real token counts")
    parser.add_argument("--texts", type=Path, help="a CSV with a column text")
    parser.add_argument("--messages", type=int, default=320)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--threads", type=int, default=0, help="of both; 0: all cores, and as the worker chooses")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("bench-results/backlog"))
    options = parser.parse_args(argv)
    model = options.model or mbert_folder(ROOT / "build" / "mbert", vocabulary=options.vocabulary)
    settings = {"precision": options.precision, "model_threads": options.threads}
    results = Results(options.out, {**settings, "model": str(model)}, measurement="backlog", messages=options.messages)
    texts = bench_texts.load(options.texts, count=options.messages, distinct=True)
    report(run(texts, model=model, runs=options.runs, **settings), results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
