"""An archive as a plain Celery program would send it: ``python -m sluice.bench.peers.row_client IN.csv OUT.csv``.

One task per row for the worker of ``sluice.bench.peers.queue_workers``, every one sent before the first answer is
read; the answers are fetched from the result store many at a time, and written in the order of the rows.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import redis
from celery import Celery

TASK = "peer.batched"
FETCH = 500
POLL_S = 0.02


def main(source: str, target: str) -> int:
    broker, backend = os.environ["SLUICE_BROKER_URL"], os.environ["SLUICE_RESULT_BACKEND"]
    app = Celery("client", broker=broker, backend=backend)
    app.conf.task_default_queue = "peer"
    with Path(source).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with app.producer_pool.acquire(block=True) as producer:
        sent = [app.send_task(TASK, (row["text"],), producer=producer) for row in rows]
    keys = [app.backend.get_key_for_task(result.id) for result in sent]
    store = redis.Redis.from_url(backend)
    unfinished = Path(f"{target}.unfinished")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*rows[0], "label", "probability"])
        for start in range(0, len(rows), FETCH):
            entries = fetch(store, keys[start : start + FETCH])
            for row, entry in zip(rows[start : start + FETCH], entries, strict=True):
                writer.writerow([*row.values(), entry["label"], entry["probability"]])
    unfinished.rename(target)
    return 0


def fetch(store: redis.Redis, keys: list[Any]) -> list[dict[str, Any]]:
    """The results under these keys, when all of them are there."""
    while True:
        found: Any = store.mget(keys)
        if None not in found:
            return [json.loads(one)["result"] for one in found]
        time.sleep(POLL_S)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
