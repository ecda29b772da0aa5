"""Stored results: Celery's fields under Celery's names."""

from __future__ import annotations

import orjson

from sluice.tasks.wire.entry import prediction
from sluice.tasks.wire.release import WIRE
from sluice.tasks.wire.resultmeta import pack_meta

ENTRY = prediction(None, "ham", 0.5, "m", "1")


def test_celery_finds_its_fields() -> None:
    assert orjson.loads(pack_meta("t", "SUCCESS", [ENTRY], "2026-11-30T00:00:00+00:00")) == {
        "status": "SUCCESS",
        "result": [ENTRY],
        "traceback": None,
        "children": [],
        "date_done": "2026-11-30T00:00:00+00:00",
        "task_id": "t",
        "wire": WIRE,
    }


def test_group_and_parent_are_there_if_there_are_any() -> None:
    found = orjson.loads(pack_meta("t", "STARTED", None, None, group_id="g", parent_id="p"))
    assert (found["group_id"], found["parent_id"]) == ("g", "p")
