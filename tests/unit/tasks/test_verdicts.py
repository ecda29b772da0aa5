"""Whether anybody gives verdicts, by the workers' statuses."""

from __future__ import annotations

from sluice.tasks.errors import InvalidInput, ModelUnavailable
from sluice.tasks.verdicts import objection
from sluice.tasks.wire.status import WorkerStatus

MODEL = {"name": "m", "version": "7"}
GIVES = WorkerStatus.from_json({"model": MODEL, "verdicts": {"policy": "model", "thresholds": {}}})
HAS_NO_THRESHOLDS = WorkerStatus.from_json({"model": MODEL, "verdicts": None})
OF_AN_EARLIER_RELEASE = WorkerStatus.from_json({"model": MODEL})


def test_one_that_gives_them_is_enough_and_nobody_is_no_objection() -> None:
    assert objection([]) is None
    assert objection([OF_AN_EARLIER_RELEASE, HAS_NO_THRESHOLDS, GIVES]) is None


def test_a_model_without_thresholds_is_named() -> None:
    error = objection([HAS_NO_THRESHOLDS])
    assert isinstance(error, InvalidInput)
    assert "m 7" in error.message


def test_an_earlier_release_may_be_restarted() -> None:
    assert isinstance(objection([HAS_NO_THRESHOLDS, OF_AN_EARLIER_RELEASE]), ModelUnavailable)
