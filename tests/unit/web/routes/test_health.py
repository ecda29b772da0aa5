"""Health, readiness and statistics, on a gateway that answers by itself."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from tests.unit.web.fake_gateway import FakeGateway


def test_health_has_opentextshield_s_shape(client: FlaskClient) -> None:
    body = client.get("/health").get_json()
    assert list(body) == ["status", "api_version", "version", "model", "models_loaded", "timestamp"]
    assert body["status"] == "healthy"
    assert body["version"] == body["api_version"]
    assert body["model"] == {"name": "fake", "version": "7", "architecture": "none"}
    assert body["models_loaded"] == {"fake": True}


def test_health_without_workers_is_degraded(client: FlaskClient, fake: FakeGateway) -> None:
    fake.alive = []
    response = client.get("/health")
    assert response.status_code == 200
    assert (response.get_json()["status"], response.get_json()["model"]) == ("degraded", None)


def test_alive(client: FlaskClient, fake: FakeGateway) -> None:
    fake.why = {"broker": "away", "backend": "away"}
    assert client.get("/healthz").get_json() == {"status": "alive"}


def test_ready(client: FlaskClient) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.get_json()["checks"]["worker"] == {"ok": True, "reason": None}


def test_what_is_not_ready_is_named(client: FlaskClient, fake: FakeGateway) -> None:
    fake.why["broker"] = "the broker cannot be reached (OperationalError)"
    fake.alive = [{"hostname": "w", "state": "loading"}]
    response = client.get("/readyz")
    assert response.status_code == 503
    checks = response.get_json()["checks"]
    assert checks["broker"] == {"ok": False, "reason": "the broker cannot be reached (OperationalError)"}
    assert checks["backend"]["ok"]
    assert checks["worker"]["reason"] == "no worker has a model loaded"
    fake.alive = []
    assert client.get("/readyz").get_json()["checks"]["worker"]["reason"] == "no worker is alive"


def test_statistics_are_added_up(client: FlaskClient, fake: FakeGateway) -> None:
    fake.alive = [
        {"hostname": "a", "rate": 10, "counters": {"messages": 30, "batches": 3}, "queue": {"buffered": 2}},
        {"hostname": "b", "rate": 5.5, "counters": {"messages": 10, "batches": 1}, "queue": {"buffered": 1}},
        {"hostname": "young"},
    ]
    body = client.get("/stats").get_json()
    assert body["rate"] == 15.5
    assert body["counters"] == {"messages": 40, "batches": 4}
    assert body["batch"] == {"mean_size": 10.0}
    assert body["queue"] == {"interactive": 4, "bulk": 4, "buffered": 3}
    assert len(body["workers"]) == 3
    assert body["answers"] == []
    assert body["weeks"] == [{"week": "2026-W01"}]


def test_answers_are_added_up_by_version(client: FlaskClient, fake: FakeGateway) -> None:
    def worker(version: str, ham: int, spam: int, confidence: float, pieces: int) -> dict[str, Any]:
        answers = {
            "messages": ham + spam,
            "labels": {"spam": spam, "ham": ham},
            "confidence": confidence,
            "pieces": pieces,
            "unknown_pieces": pieces // 10,
        }
        return {"hostname": f"w{version}{ham}", "model": {"name": "m", "version": version}, "answers": answers}

    fake.alive = [worker("2", 3, 1, 3.5, 40), worker("1", 5, 5, 9.0, 0), worker("2", 1, 5, 5.5, 60)]
    first, second = client.get("/stats").get_json()["answers"]
    assert second == {
        "model": "m",
        "version": "2",
        "messages": 10,
        "labels": {"ham": 4, "spam": 6},
        "mean_confidence": 0.9,
        "pieces": 100,
        "unknown_pieces": 10,
        "unknown_share": 0.1,
    }
    assert (first["version"], first["mean_confidence"], first["unknown_share"]) == ("1", 0.9, None)
