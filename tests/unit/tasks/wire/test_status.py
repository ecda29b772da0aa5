"""A worker's status: readable from workers of any release."""

from __future__ import annotations

import orjson
import pytest

from sluice.tasks.wire.release import FIRST, WIRE
from sluice.tasks.wire.status import CascadeCounts, FullBatch, ServedModel, Verdicts, WorkerStatus


def test_a_status_comes_back_as_it_was_written() -> None:
    verdicts = Verdicts(policy="model", thresholds={"spam": {"flag": 0.5, "block": None}})
    status = WorkerStatus(hostname="w", model=ServedModel(name="m", version="1"), labels=["ham"], verdicts=verdicts)
    assert WorkerStatus.from_wire(status.to_wire()) == status
    assert orjson.loads(status.to_wire())["wire"] == WIRE


def test_only_a_cascade_says_how_many_it_sent_on() -> None:
    assert "cascade" not in WorkerStatus().to_json()
    assert WorkerStatus(cascade=CascadeCounts(answered=3, sent_on=1)).to_json()["cascade"] == {
        "answered": 3,
        "sent_on": 1,
    }


def test_what_is_missing_has_a_default() -> None:
    found = WorkerStatus.from_wire(b'{"hostname": "w", "model": {"name": "m"}}')
    assert found == WorkerStatus(hostname="w", model=ServedModel(name="m"), wire=FIRST)
    assert (found.ready, found.full_batch, found.queue.held) == (False, None, 0)


def test_what_a_later_release_says_is_shown_as_it_stands() -> None:
    found = WorkerStatus.from_wire(b'{"hostname": "w", "later": {"a": 1}, "model": {"name": "m", "size": 3}}')
    assert found.model == ServedModel(name="m")
    assert found.to_json()["later"] == {"a": 1}


def test_what_a_worker_does_not_say_is_not_shown_as_if_it_did() -> None:
    found = WorkerStatus.from_wire(b'{"hostname": "w", "rate": 5, "model": {"name": "m"}}')
    model = {"name": "m", "version": "", "architecture": "", "author": "", "last_training": ""}
    assert found.said() == {"hostname": "w", "rate": 5.0, "model": model, "wire": FIRST}
    ours = WorkerStatus.from_wire(WorkerStatus().to_wire())
    assert ours.said() == ours.to_json()


def test_a_state_of_a_later_release_is_none_in_which_it_takes_messages() -> None:
    assert WorkerStatus.from_json({"state": "ready"}).ready
    assert not WorkerStatus.from_json({"state": "resting"}).ready


def test_no_verdicts_differ_from_a_release_without_them() -> None:
    assert WorkerStatus.from_json({"verdicts": None}).knows_verdicts
    assert not WorkerStatus.from_json({}).knows_verdicts


def test_facts_of_the_model_are_texts() -> None:
    found = WorkerStatus.from_json({"model": {"name": "m", "version": 7, "author": None}})
    assert (found.model.key, found.model.author) == (("m", "7"), "")


def test_a_part_that_is_there_is_read() -> None:
    found = WorkerStatus.from_json({"full_batch": {"messages": 64, "seconds": 0.25}})
    assert found.full_batch == FullBatch(messages=64, seconds=0.25)


@pytest.mark.parametrize("packed", [b"", b"{", b'{"pid": "none"}', b'{"model": 3}'])
def test_what_is_no_status_is_said_to_be_none(packed: bytes) -> None:
    with pytest.raises(ValueError):
        WorkerStatus.from_wire(packed)
