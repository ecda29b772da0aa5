"""Which of the live workers give verdicts, by their statuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.tasks.errors import InvalidInput, ModelUnavailable, SluiceError

RETRY_AFTER_S = 5


def objection(workers: Sequence[Mapping[str, Any]]) -> SluiceError | None:
    """Why none of these workers gives verdicts; None if one does, or if there are none to ask."""
    if not workers or any(worker.get("verdicts") for worker in workers):
        return None
    if all("verdicts" in worker for worker in workers):
        return no_thresholds("{name} {version}".format_map(workers[0]["model"]))
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
