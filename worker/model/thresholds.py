"""The probabilities from which on a model's labels are acted on, as its folder states them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from sluice.tasks.errors import ModelUnavailable
from sluice.worker.model.labels import HARMLESS, SYNONYMS


@dataclass(frozen=True, slots=True)
class Threshold:
    """For one label the probabilities, 0..1, from which on a message is flagged and blocked; None: it never is."""

    flag: float | None = None
    block: float | None = None

    def as_json(self) -> dict[str, float | None]:
        return {"flag": self.flag, "block": self.block}


Thresholds = Mapping[str, Threshold]
"""By label, for the labels that are acted on."""


def read_thresholds(stated: object, labels: Sequence[str], card: str) -> Thresholds | None:
    """`{"phishing": {"flag": 0.5, "block": 0.9}}`, checked against the model's labels; None where nothing is stated.

    Args:
        stated: the value of `thresholds` in the card.
        card: the card, as an error names it.

    Raises ModelUnavailable with one line that names the card, the field and what it takes.
    """
    if stated is None:
        return None
    if not isinstance(stated, dict) or not stated:
        raise wrong(card, "thresholds", f"an object with a label or more of {', '.join(labels)}", stated)
    found: dict[str, Threshold] = {}
    for name, limits in stated.items():
        label = _label(name, labels)
        field = f"thresholds.{name}"
        if label is None or label in found:
            taken = "names a label twice" if label in found else f"is no label of the model ({', '.join(labels)})"
            raise ModelUnavailable(f"{card}: {field} {taken}: correct it, or remove it.")
        if label in HARMLESS:
            raise ModelUnavailable(f"{card}: {field} cannot be: {label} is never flagged or blocked. Remove it.")
        found[label] = _threshold(limits, card, field)
    return found


def _label(name: str, labels: Sequence[str]) -> str | None:
    """The model's own label that the card means; labels are read with the same synonyms."""
    lowered = name.strip().lower()
    return next((one for one in (lowered, SYNONYMS.get(lowered)) if one in labels), None)


def _threshold(limits: object, card: str, field: str) -> Threshold:
    known = {"flag", "block"}
    if not isinstance(limits, dict) or not limits or not set(limits) <= known:
        raise wrong(card, field, 'an object with "flag", "block" or both', limits)
    for name, value in limits.items():
        if not is_number(value) or not 0 <= value <= 1:
            raise wrong(card, f"{field}.{name}", "a number from 0 to 1", value)
    flag, block = limits.get("flag"), limits.get("block")
    if flag is not None and block is not None and flag > block:
        raise ModelUnavailable(
            f"{card}: {field}.flag is {flag}, over its block of {block}: what is blocked would not be flagged before."
        )
    return Threshold(*(None if one is None else float(one) for one in (flag, block)))


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value of JSON is a number; neither true nor NaN is one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def wrong(card: str, field: str, takes: str, given: object) -> ModelUnavailable:
    """A field of a card that holds something else than it takes."""
    shown = repr(given)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
    return ModelUnavailable(f"{card}: {field} must be {takes}, not {shown}: correct it, or remove it.")
