"""How the release before read the wire (commit b0d2ee4): copies of its lines, to hold today's writers against.

Never make these tolerant: what they need, a process of that release needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

JOB_FIELDS = {"total", "created_at", "lane", "envelopes", "named", "token", "scores", "owner", "verdict"}


def progress(fields: Mapping[bytes, bytes]) -> tuple[int, int, float]:
    labelled, failed, last_at = 0, 0, 0.0
    for value in fields.values():
        good, bad, at = value.split()
        labelled += int(good)
        failed += int(bad)
        last_at = max(last_at, float(at))
    return labelled, failed, last_at


def result(value: bytes) -> tuple[str, Any, str | None]:
    meta = orjson.loads(value)
    return meta["status"], meta.get("result"), meta.get("date_done")


def replies(payload: bytes) -> dict[str, dict[int, dict[str, Any]]]:
    """What its listener handed on; it asked ``pairs`` of every item."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for envelope_id, answers in orjson.loads(payload).items():
        found[envelope_id] = dict(answers)
    return found


def prediction(entry: dict[str, Any]) -> dict[str, Any]:
    """Of ``POST /predict/``, for a caller who asked for everything."""
    assert entry.get("error") is None
    fields = ("label", "probability", "model", "version", "scores", "verdict", "rule")
    return {field: entry[field] for field in fields}


def job(packed: bytes) -> dict[str, Any]:
    """A description became keywords of a class, so a field that it did not know was an error."""
    fields: dict[str, Any] = orjson.loads(packed)
    fields["envelopes"] = [(one, count) for one, count in fields["envelopes"]]
    unknown = set(fields) - JOB_FIELDS
    if unknown:
        raise TypeError(f"unexpected keywords: {unknown}")
    return fields


def statistics(workers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What ``/stats``, ``/readyz``, the backlog, the envelopes' shape and the carrier took from statuses."""
    counters: Counter[str] = Counter()
    for worker in workers:
        counters.update({name: value for name, value in (worker.get("counters") or {}).items() if value})
    batches = [worker["full_batch"] for worker in workers if "full_batch" in worker]
    return {
        "counters": dict(counters),
        "buffered": sum(int((worker.get("queue") or {}).get("buffered") or 0) for worker in workers),
        "held": sum(int((worker.get("queue") or {}).get("held") or 0) for worker in workers),
        "rate": sum(float(worker.get("rate") or 0) for worker in workers),
        "ready": any(worker.get("state") == "ready" for worker in workers),
        "verdicts": ["verdicts" in worker and bool(worker["verdicts"]) for worker in workers],
        "models": [(worker["model"]["name"], worker["model"]["version"]) for worker in workers],
        "labels": [list(worker["labels"]) for worker in workers],
        "full_batches": [(int(batch["messages"]), float(batch["seconds"])) for batch in batches],
        "answered": [
            (worker["answers"]["messages"], dict(worker["answers"]["labels"]), worker["answers"]["confidence"])
            for worker in workers
        ],
    }
