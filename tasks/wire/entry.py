"""The outcome of one message: a prediction, or a failure of its own.

Plain dicts on the wire and in memory, for there are thousands of them a second.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict, TypeGuard, cast, final


@final
class Prediction(TypedDict):
    """A label, and what else was asked for.

    ``probability`` is that of ``label``, 0..1. ``scores`` has that of every label. ``verdict`` is ``allow``, ``flag``,
    ``block``, or None of a model without thresholds; ``rule`` is in words of a fixed form, ``phishing >= 0.9``.
    """

    id: NotRequired[str]
    label: str
    probability: float
    model: str
    version: str
    scores: NotRequired[dict[str, float]]
    verdict: NotRequired[str | None]
    rule: NotRequired[str]


class Fault(TypedDict):
    """Why a message has no label: a stable code, and one sentence for a person."""

    code: str
    message: str


@final
class Failure(TypedDict):
    """A message that has no label."""

    id: NotRequired[str]
    error: Fault


Entry = Prediction | Failure


def prediction(message_id: str | None, label: str, probability: float, model: str, version: str) -> Prediction:
    """The entry of a classified message; ``probability`` is that of ``label``, 0..1."""
    if message_id is None:
        return {"label": label, "probability": probability, "model": model, "version": version}
    return {"id": message_id, "label": label, "probability": probability, "model": model, "version": version}


def failure(message_id: str | None, code: str, message: str) -> Failure:
    """The entry of a message that got no label."""
    fault: Fault = {"code": code, "message": message}
    return {"error": fault} if message_id is None else {"id": message_id, "error": fault}


def is_prediction(entry: Entry) -> TypeGuard[Prediction]:
    """Whether the message has a label; else ``fault_of`` says why not."""
    return "error" not in entry


def prediction_of(entry: Entry) -> Prediction:
    """The entry of a message that has a label.

    Raises:
        ValueError: it has none.
    """
    if "error" in entry:
        raise ValueError("a failure has no label")
    return entry


def fault_of(entry: Entry) -> Fault:
    """Why the message has no label.

    Raises:
        ValueError: it has one.
    """
    if "error" in entry:
        return entry["error"]
    raise ValueError("a prediction has no fault")


def id_of(entry: Entry) -> str | None:
    """The message's id, if it has one."""
    return entry.get("id")


def named(entry: Entry, message_id: str) -> Entry:
    """A copy with this id, first where there was none."""
    return cast(Entry, {**entry, "id": message_id} if "id" in entry else {"id": message_id, **entry})


def kind_of(entry: Entry) -> str:
    """The label; ``error`` where there is none, as counts have it."""
    return "error" if "error" in entry else entry["label"]
