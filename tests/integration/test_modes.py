"""Batching modes on a real worker: the same answers whichever way they are batched."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.harness.worker import Worker, client_app
from sluice.tasks.envelope import TASK_NAME
from tests.conftest import Brokers
from tests.integration.test_batching import counters

TEXTS = [f"a text of some length, number {i}" * (i % 4 + 1) for i in range(30)]


@pytest.mark.parametrize(
    "settings",
    [{"batching": "dynamic"}, {"batching": "static"}, {"batching": "none"}, {"batching_enabled": "false"}],
    ids=lambda settings: "-".join(settings.values()),
)
def test_every_mode_gives_the_same_answers(brokers: Brokers, folder: Path, settings: dict[str, str]) -> None:
    env = brokers.env(max_batch_size=8, **settings)
    worker = Worker(folder, env).ready()
    try:
        app = client_app(env)
        entries = app.tasks[TASK_NAME].delay(TEXTS).get(timeout=20)
        stats = counters(app, worker)
    finally:
        assert worker.stop() == 0
    assert [(entry["label"], entry["probability"]) for entry in entries] == expected(TEXTS)
    alone = "none" in settings.values() or "false" in settings.values()
    assert stats["batch"]["max_size"] == (1 if alone else 8)


def test_a_partial_static_batch_runs_as_one_when_its_time_has_come(brokers: Brokers, folder: Path) -> None:
    env = brokers.env(batching="static", max_batch_size=64, batch_wait_ms=700)
    worker = Worker(folder, env).ready()
    try:
        app = client_app(env)
        results = [app.tasks[TASK_NAME].delay(text) for text in TEXTS[:3]]
        for result in results:
            result.get(timeout=20)
        stats = counters(app, worker)["counters"]
    finally:
        worker.stop()
    assert (stats["messages"], stats["batches"]) == (3, 1)


def expected(texts: list[str]) -> list[tuple[str, float]]:
    """What the simulated model answers to each text alone."""
    from sluice.worker.model.simulated import SimulatedClassifier

    model = SimulatedClassifier()
    rows = model.forward(model.encode(texts))
    return [(model.labels[row.index(max(row))], max(row)) for row in rows]
