"""``/health``, ``/healthz``, ``/readyz`` and ``/stats`` in the document."""

from __future__ import annotations

from sluice.web.openapi.parts import Json, answer, content, errors


def paths() -> Json:
    def get(name: str, summary: str, responses: Json, *, keyed: bool = False) -> Json:
        operation: Json = {"tags": ["health"], "operationId": name, "summary": summary, "responses": responses}
        return {"get": operation if keyed else {**operation, "security": []}}

    alive = {"type": "object", "properties": {"status": {"const": "alive"}}}
    return {
        "/health": get("health", "Health in OpenTextShield's shape", {"200": content("Health", "HealthResponse")}),
        "/healthz": get(
            "alive",
            "Liveness: this process answers",
            {"200": answer("Alive", alive)},
        ),
        "/readyz": get(
            "ready",
            "Readiness: broker, backend and a worker with its model",
            {"200": content("Ready", "ReadyResponse"), "503": content("Not ready", "ReadyResponse")},
        ),
        "/stats": get(
            "stats",
            "Batching statistics of the live workers",
            {"200": content("Statistics", "StatsResponse"), **errors(401)},
            keyed=True,
        ),
    }
