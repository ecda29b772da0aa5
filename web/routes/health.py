"""``/health`` (OpenTextShield's shape), ``/healthz`` (alive), ``/readyz`` (can serve), ``/stats`` (batching)."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
from flask import Blueprint, Response

from sluice.tasks.weeks import Means, means
from sluice.tasks.wire.status import AnswerCounts, WorkerStatus
from sluice.web.gateway import GatewayApi
from sluice.web.http.auth import Guard
from sluice.web.http.body import JSON
from sluice.web.http.errors import timestamp
from sluice.web.routes.degraded import Fallback
from sluice.web.routes.served_models import ServedModels


def api_version() -> str:
    """The release of this service."""
    try:
        return version("sluice")
    except PackageNotFoundError:
        return "0+source"


def blueprint(gateway: GatewayApi, guard: Guard, served: ServedModels, fallback: Fallback) -> Blueprint:
    routes = Blueprint("health", __name__)
    release = api_version()

    @routes.get("/health")
    def health() -> Response:
        models = served.models()
        able = models and not any(gateway.reasons().values())
        shown = models[0].model_dump(include={"name", "version", "architecture"}) if models else None
        return _json(
            {
                "status": "healthy" if able else "degraded",
                "api_version": release,
                "version": release,
                "model": shown,
                "models_loaded": {model.name: True for model in models},
                "timestamp": timestamp(),
            }
        )

    @routes.get("/healthz")
    def alive() -> Response:
        return _json({"status": "alive"})

    @routes.get("/readyz")
    def ready() -> Response:
        reasons = gateway.reasons()
        reasons["worker"] = _worker_reason(gateway.workers())
        checks = {part: {"ok": reason is None, "reason": reason} for part, reason in reasons.items()}
        able = not any(reasons.values())
        return _json({"ready": able, "checks": checks}, 200 if able else 503)

    @routes.get("/stats")
    def stats() -> Response:
        guard()
        return _json({**totals(gateway.workers(), gateway), "degraded": fallback.counts})

    return routes


def totals(workers: list[WorkerStatus], gateway: GatewayApi) -> dict[str, Any]:
    """The workers' statistics added up; means are weighted by batches."""
    counters: Counter[str] = Counter()
    for worker in workers:
        counters.update({name: value for name, value in worker.counters if value})
    batches = counters["batches"]
    computed = counters["messages"] - counters["duplicates"] - counters["cached"]
    return {
        "workers": [worker.said() for worker in workers],
        "rate": sum(worker.rate for worker in workers),
        "counters": dict(counters),
        "answers": _answers(workers),
        "weeks": gateway.weeks(),
        "batch": {"mean_size": computed / batches if batches else 0.0},
        "queue": {
            "interactive": gateway.depth("interactive"),
            "bulk": gateway.depth("bulk"),
            "buffered": sum(worker.queue.buffered for worker in workers),
        },
    }


def _answers(workers: list[WorkerStatus]) -> list[dict[str, Any]]:
    """What the live workers have answered since their starts, by version of the model."""
    by_model: dict[tuple[str, str], list[AnswerCounts]] = {}
    for worker in workers:
        if worker.answers is not None:
            by_model.setdefault(worker.model.key, []).append(worker.answers)
    return [{"model": name, "version": number, **_means(counts)} for (name, number), counts in sorted(by_model.items())]


def _means(counts: list[AnswerCounts]) -> Means:
    labels: Counter[str] = Counter()
    for one in counts:
        labels.update(one.labels)
    return means(
        sum(one.messages for one in counts),
        dict(labels),
        sum(one.confidence for one in counts),
        sum(one.pieces for one in counts),
        sum(one.unknown_pieces for one in counts),
    )


def _worker_reason(workers: list[WorkerStatus]) -> str | None:
    if any(worker.ready for worker in workers):
        return None
    return "no worker has a model loaded" if workers else "no worker is alive"


def _json(payload: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(payload), status, mimetype=JSON)
