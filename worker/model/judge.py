"""Verdicts: what to do about a message, by its scores, the version's thresholds and the deployment's policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sluice.tasks.envelope import PLACES
from sluice.tasks.errors import InvalidInput
from sluice.tasks.verdicts import no_thresholds
from sluice.worker.model.base import ModelInfo
from sluice.worker.model.labels import LABELS
from sluice.worker.model.thresholds import Threshold, Thresholds

Verdict = Literal["allow", "flag", "block"]
HAM = "ham"
NEVER_BLOCK = "never_block"
"""The policy that the model alone never blocks: what it would block is flagged."""


class VerdictSettings(Protocol):
    """The settings that decide about verdicts."""

    @property
    def verdict_policy(self) -> str:
        """``model``, or ``NEVER_BLOCK``."""

    @property
    def flag_at(self) -> float:
        """From when on spam and phishing are flagged where the model has no thresholds."""

    @property
    def block_at(self) -> float:
        """From when on they are blocked."""


@dataclass(frozen=True, slots=True)
class Limit:
    """From ``score`` on, the label at ``place`` of an answer gets ``verdict``."""

    place: int
    score: float
    severity: int
    verdict: Verdict
    rule: str


class Judge:
    """Decides about messages of one version. Holds no state, so any thread may use it.

    Of several labels over a threshold the more severe verdict counts, then the higher score, then the model's order.

    Args:
        labels: of the model, in the order of its answers.
    """

    def __init__(self, labels: Sequence[str], info: ModelInfo, settings: VerdictSettings) -> None:
        self._model = f"{info.name} {info.version}"
        self._policy = settings.verdict_policy
        self._thresholds = info.thresholds or _defaults(labels, settings)
        self._limits: list[Limit] = []
        below = []
        for place, label in enumerate(labels):
            if threshold := (self._thresholds or {}).get(label):
                limits = _limits(place, label, threshold, self._policy)
                self._limits += limits
                below.append(f"{label} < {min(limit.score for limit in limits)}")
        self._allow = " and ".join(below)

    @property
    def objection(self) -> InvalidInput | None:
        """Why there are no verdicts; None if there are."""
        return no_thresholds(self._model) if self._thresholds is None else None

    def verdict(self, answer: Sequence[float]) -> tuple[Verdict | None, str]:
        """The verdict on probabilities shaped (labels,), and the rule that decided, such as ``phishing >= 0.9``.

        Both sides are compared at ``PLACES`` decimals, as files show them. None where there are no thresholds.
        """
        if self._thresholds is None:
            return None, f"{self._model} has no thresholds"
        over = [limit for limit in self._limits if round(answer[limit.place], PLACES) >= limit.score]
        if not over:
            return "allow", self._allow
        decided = max(over, key=lambda limit: (limit.severity, answer[limit.place]))
        return decided.verdict, decided.rule

    def as_json(self) -> dict[str, Any] | None:
        """What is in force, for a worker's status; None where there are no thresholds."""
        if self._thresholds is None:
            return None
        thresholds = {label: limits.as_json() for label, limits in self._thresholds.items()}
        return {"policy": self._policy, "thresholds": thresholds}


def _defaults(labels: Sequence[str], settings: VerdictSettings) -> Thresholds | None:
    """The deployment's thresholds for a model that came without, if its labels are those that they are meant for."""
    if not {HAM} < set(labels) <= set(LABELS):
        return None
    limits = Threshold(settings.flag_at, settings.block_at)
    return {label: limits for label in labels if label != HAM}


def _limits(place: int, label: str, threshold: Threshold, policy: str) -> list[Limit]:
    limits = []
    if threshold.block is not None:
        score, mild = round(threshold.block, PLACES), policy == NEVER_BLOCK
        rule = f"{label} >= {score}"
        limits.append(Limit(place, score, 2, "flag" if mild else "block", f"{rule} ({policy})" if mild else rule))
    if threshold.flag is not None:
        score = round(threshold.flag, PLACES)
        limits.append(Limit(place, score, 1, "flag", f"{label} >= {score}"))
    return limits
