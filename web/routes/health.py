"""``/health`` (OpenTextShield's shape), ``/healthz`` (alive), ``/readyz`` (can serve), ``/stats`` (batching)."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson
from flask import Blueprint, Response

from sluice.tasks.weeks import means
from sluice.web.gateway import Gateway
from sluice.web.http.auth import Guard
from sluice.web.http.body import JSON
from sluice.web.http.errors import timestamp
from sluice.web.routes.degraded import Fallback
from sluice.web.routes.served_models import ServedModels, model_info


def api_version() -> str:
    """The release of this service."""
    try:
        return version("sluice")
    except PackageNotFoundError:
        return "0+source"


def blueprint(gateway: Gateway, guard: Guard, served: ServedModels, fallback: Fallback) -> Blueprint:
    routes = Blueprint("health", __name__)
    release = api_version()

    @routes.get("/health")
    def health() -> Response:
        models = served.models()
        able = models and not any(gateway.reasons().values())
        shown = {name: models[0][name] for name in ("name", "version", "architecture")} if models else None
        return _json(
            {
                "status": "healthy" if able else "degraded",
                "api_version": release,
                "version": release,
                "model": shown,
                "models_loaded": {model["name"]: True for model in models},
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


def totals(workers: list[dict[str, Any]], gateway: Gateway) -> dict[str, Any]:
    """The workers' statistics added up; means are weighted by batches."""
    counters: Counter[str] = Counter()
    buffered = 0
    for worker in workers:
        counters.update({name: value for name, value in (worker.get("counters") or {}).items() if value})
        buffered += int((worker.get("queue") or {}).get("buffered") or 0)
    batches = counters["batches"]
    computed = counters["messages"] - counters["duplicates"] - counters["cached"]
    return {
        "workers": [{**worker, "model": model_info(worker)} for worker in workers],
        "rate": sum(float(worker.get("rate") or 0) for worker in workers),
        "counters": dict(counters),
        "answers": _answers(workers),
        "weeks": gateway.weeks(),
        "batch": {"mean_size": computed / batches if batches else 0.0},
        "queue": {
            "interactive": gateway.depth("interactive"),
            "bulk": gateway.depth("bulk"),
            "buffered": buffered,
        },
    }


def _answers(workers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the live workers have answered since their starts, by version of the model."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    labels: dict[tuple[str, str], Counter[str]] = {}
    for worker in workers:
        found = worker.get("answers")
        if not found:
            continue
        model = worker["model"]["name"], worker["model"]["version"]
        labels.setdefault(model, Counter()).update(found["labels"])
        sums.setdefault(model, Counter()).update({name: value for name, value in found.items() if name != "labels"})
    return [
        {
            "model": name,
            "version": number,
            **means(
                all_["messages"],
                dict(labels[name, number]),
                all_["confidence"],
                all_["pieces"],
                all_["unknown_pieces"],
            ),
        }
        for (name, number), all_ in sorted(sums.items())
    ]


def _worker_reason(workers: list[dict[str, Any]]) -> str | None:
    if any(worker.get("state") == "ready" for worker in workers):
        return None
    return "no worker has a model loaded" if workers else "no worker is alive"


def _json(payload: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(payload), status, mimetype=JSON)
