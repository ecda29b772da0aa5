"""The batching behaviours a caller can see, on a real worker and both brokers."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery

from sluice.harness.process import wait_for
from sluice.harness.worker import Worker
from sluice.tasks.envelope import TASK_NAME
from sluice.tasks.errors import InvalidInput, ModelFailed
from tests.conftest import Brokers

WAIT_S = 20


@pytest.fixture(scope="module")
def env(brokers: Brokers) -> dict[str, str]:
    return brokers.env(max_batch_size=8)


def classify(app: Celery, messages: Any) -> Any:
    return app.tasks[TASK_NAME].delay(messages)


def counters(app: Celery, worker: Worker) -> dict[str, Any]:
    """The worker's own statistics, through Celery's ``inspect``."""
    stats = app.control.inspect([worker.hostname], timeout=5).stats()
    return stats[worker.hostname]["sluice"]


def test_a_single_message_gets_its_label(app: Celery) -> None:
    entry = classify(app, "see you at eight").get(timeout=WAIT_S)
    assert entry["label"] in ("ham", "spam", "phishing")
    assert 0 < entry["probability"] <= 1
    assert (entry["model"], entry["version"]) == ("simulated", "1")


def test_a_list_is_answered_in_order_with_its_ids(app: Celery) -> None:
    texts = [f"message number {i}" for i in range(50)]
    alone = [classify(app, text).get(timeout=WAIT_S) for text in texts[:5]]
    entries = classify(app, [{"id": f"m{i}", "text": text} for i, text in enumerate(texts)]).get(timeout=WAIT_S)
    assert [entry["id"] for entry in entries] == [f"m{i}" for i in range(50)]
    assert [entry["label"] for entry in entries[:5]] == [entry["label"] for entry in alone]


def test_eight_at_once_coalesce(app: Celery, worker: Worker) -> None:
    before = counters(app, worker)["counters"]
    results = [classify(app, f"at once {i}") for i in range(24)]
    for result in results:
        result.get(timeout=WAIT_S)
    after = counters(app, worker)["counters"]
    assert after["messages"] - before["messages"] == 24
    assert after["batches"] - before["batches"] < 24


def test_the_batch_limit_is_respected(app: Celery, worker: Worker) -> None:
    before = counters(app, worker)
    classify(app, [f"one of many {i}" for i in range(100)]).get(timeout=WAIT_S)
    after = counters(app, worker)
    assert after["batch"]["max_size"] == 8
    assert after["counters"]["batches"] - before["counters"]["batches"] >= 100 / 8


def test_a_model_error_reaches_its_caller_and_no_other(app: Celery) -> None:
    good = [classify(app, f"harmless {i}") for i in range(5)]
    bad = classify(app, "this one is POISON")
    mixed = classify(app, ["fine", "POISON again", "fine too"])
    for result in good:
        assert "label" in result.get(timeout=WAIT_S)
    with pytest.raises(ModelFailed):
        bad.get(timeout=WAIT_S)
    entries = mixed.get(timeout=WAIT_S)
    assert ["error" in entry for entry in entries] == [False, True, False]
    assert entries[1]["error"]["code"] == "model_failed"


def test_bad_items_fail_alone(app: Celery) -> None:
    entries = classify(app, ["good", "", "  ", None, 7, {"id": "x"}, {"id": 5, "text": "a"}, "y" * 5001]).get(
        timeout=WAIT_S
    )
    assert "label" in entries[0]
    assert {entry["error"]["code"] for entry in entries[1:]} == {"invalid_input"}
    assert "limit of 5000" in entries[7]["error"]["message"]


@pytest.mark.parametrize(
    ("messages", "field"),
    [("", "text"), (5, "text"), (None, "text"), ({}, "text"), ([], "messages"), ({"text": 3}, "text")],
)
def test_a_call_that_makes_no_sense_fails_with_the_field(app: Celery, messages: Any, field: str) -> None:
    with pytest.raises(InvalidInput, match=field):
        classify(app, messages).get(timeout=WAIT_S)


def test_odd_arguments_fail_and_the_worker_lives_on(app: Celery) -> None:
    task = app.tasks[TASK_NAME]
    for args, kwargs in [((), {}), (("a", "b"), {}), ((), {"text": "a"}), (("a",), {"messages": "b"})]:
        with pytest.raises(InvalidInput):
            task.apply_async(args, kwargs).get(timeout=WAIT_S)
    assert "label" in classify(app, "still there?").get(timeout=WAIT_S)


@pytest.mark.parametrize("text", ["\x00\x01\x02", "a" * 5000, "\U0001f600" * 300, "‮evil\u200b", "\n\tx"])
def test_strange_texts_are_classified(app: Celery, text: str) -> None:
    assert "label" in classify(app, text).get(timeout=WAIT_S)


def test_counters_count(app: Celery, worker: Worker) -> None:
    before = counters(app, worker)["counters"]
    classify(app, ["one", "two", "", "POISON"]).get(timeout=WAIT_S)

    def counted() -> bool:
        after = counters(app, worker)["counters"]
        grown = {name: after[name] - before[name] for name in after}
        return grown["messages"] == 3 and grown["errors"] == 2 and grown["envelopes"] == 1

    wait_for(counted, "the counters")


def test_inspect_tells_the_prefetch_windows_and_both_queues(app: Celery, worker: Worker, brokers: Brokers) -> None:
    inspect = app.control.inspect([worker.hostname], timeout=5)
    stats = inspect.stats()[worker.hostname]
    assert stats["prefetch_count"] == 32
    # On Redis it follows the size of envelopes; here nothing, or something small, has come by that lane.
    assert stats["bulk_prefetch_count"] == 8 if brokers.kind == "rabbitmq" else 2 <= stats["bulk_prefetch_count"] <= 32
    queues = inspect.active_queues()[worker.hostname]
    assert {queue["name"] for queue in queues} == {"sluice.interactive", "sluice.bulk"}


def test_the_bulk_lane_is_served(app: Celery) -> None:
    result = app.tasks[TASK_NAME].apply_async((["bulk"] * 20,), queue="sluice.bulk")
    assert len(result.get(timeout=WAIT_S)) == 20
