"""The same simulated accelerator behind celery-batches, and behind plain Celery with a task per message.

``celery -A bench.peers.queue_workers worker``; broker and backend come from ``SLUICE_BROKER_URL`` and
``SLUICE_RESULT_BACKEND``, the model from ``SLUICE_MODEL``, as for Sluice's own worker.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery_batches import Batches

from sluice.config.settings import current
from sluice.tasks.wire.entry import Prediction, prediction
from sluice.worker.model.loader import load

BATCH = 64
FLUSH_INTERVAL_S = 0.015

settings = current()
app = Celery("peer", broker=settings.broker, backend=settings.backend)
app.conf.update(
    task_default_queue="peer",
    task_acks_late=True,
    worker_prefetch_multiplier=4 * BATCH,
    worker_concurrency=1,
    worker_pool="threads",
    broker_connection_retry_on_startup=True,
)
model = load(settings)


def classify(texts: list[str]) -> list[Prediction]:
    """The entries of the texts, by forwards of at most ``BATCH``: celery-batches hands over whatever it holds."""
    rows = [row for at in range(0, len(texts), BATCH) for row in model.forward(model.encode(texts[at : at + BATCH]))]
    return [prediction(None, model.labels[row.index(max(row))], max(row), "simulated", "1") for row in rows]


@app.task(base=Batches, flush_every=BATCH, flush_interval=FLUSH_INTERVAL_S, name="peer.batched")
def batched(requests: list[Any]) -> None:
    for request, entry in zip(requests, classify([request.args[0] for request in requests]), strict=True):
        app.backend.mark_as_done(request.id, entry, request=request)


@app.task(name="peer.single")
def single(text: str) -> Prediction:
    return classify([text])[0]
