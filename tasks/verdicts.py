"""Which of the live workers give verdicts, by their statuses."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.tasks.errors import InvalidInput, ModelUnavailable, SluiceError
from sluice.tasks.wire.status import WorkerStatus

RETRY_AFTER_S = 5


def objection(workers: Sequence[WorkerStatus]) -> SluiceError | None:
    """Why none of these workers gives verdicts; None if one does, or if there are none to ask."""
    if not workers or any(worker.verdicts is not None for worker in workers):
        return None
    if all(worker.knows_verdicts for worker in workers):
        return no_thresholds(" ".join(workers[0].model.key))
    return earlier_release()


def no_thresholds(model: str) -> InvalidInput:
    """A verdict was wished for of a model, name and version, that gives none."""
    return InvalidInput(
        f"the model {model} has no thresholds, so it gives no verdict: add thresholds to its sluice.json",
        {"field": "verdict", "model": model},
    )


def earlier_release() -> ModelUnavailable:
    """A verdict was wished for, and the worker does not know what that is."""
    return ModelUnavailable(
        "the worker is of an earlier release, which gives no verdicts: restart it with this one",
        {"field": "verdict"},
        retry_after_s=RETRY_AFTER_S,
    )
