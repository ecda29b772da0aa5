"""Where the pipeline hands on what comes out of the engine."""

from __future__ import annotations

import pytest

from sluice.config.settings import read
from sluice.tasks.app import make_celery
from sluice.tasks.envelope import Message
from sluice.tasks.wire.status import WorkerStatus
from sluice.worker.engine.capacity import Capacity
from sluice.worker.engine.mail import InFlightEnvelope, Started
from sluice.worker.model.calibrate import Cost
from sluice.worker.model.simulated import SimulatedClassifier
from sluice.worker.pipeline import Pipeline


class Waker:
    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def again(self) -> None:
        self.woken += 1


@pytest.fixture
def waker() -> Waker:
    return Waker()


@pytest.fixture
def pipeline(waker: Waker) -> Pipeline:
    """Not started, and without servers."""
    settings = read(broker_url="redis://127.0.0.1:1/0")
    return Pipeline(
        make_celery(settings),
        Capacity(settings, SimulatedClassifier(), Cost(0.001, 0.0001), 1, 0, 64, 0.1),
        "w",
        waker=waker,
        revoked=lambda envelope: None,
        held=lambda: 0,
        answered=lambda: None,
        on_death=print,
    )


def started(name: str, group: str | None = None) -> Started:
    return Started([InFlightEnvelope(name, [Message("text")], False, False, 0.0, 0, group=group)])


def test_jobs_are_announced_to_the_result_store_others_are_not(pipeline: Pipeline, waker: Waker) -> None:
    single, part = started("single"), started("part", group="job")
    for note in (single, part):
        pipeline.emit(note)
    assert list(pipeline.notes) == [single, part]
    assert waker.woken == 2
    assert pipeline.writer.inbox.get_nowait() is part
    assert pipeline.writer.inbox.empty()


def test_every_field_of_a_status_is_filled_in(pipeline: Pipeline) -> None:
    assert pipeline.status().model_fields_set == set(WorkerStatus.model_fields) - {"wire"}
