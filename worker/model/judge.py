"""Verdicts: what to do about a message, by its scores, the version's thresholds and the deployment's policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sluice.tasks.envelope import PROBABILITY_DECIMALS
from sluice.tasks.errors import InvalidInput
from sluice.tasks.verdicts import no_thresholds
from sluice.worker.model.base import ModelInfo
from sluice.worker.model.labels import HAM, LABELS
from sluice.worker.model.thresholds import Threshold, Thresholds

Verdict = Literal["allow", "flag", "block"]
FLAG, BLOCK = 1, 2
"""How severe verdicts are; to allow is 0."""
MODEL, NEVER_BLOCK = "model", "never_block"
"""Policies: the thresholds decide; or the model alone never blocks, and what it would block is flagged."""


class VerdictSettings(Protocol):
    """The settings that decide about verdicts."""

    @property
    def verdict_policy(self) -> str:
        """``MODEL`` or ``NEVER_BLOCK``."""

    @property
    def flag_at(self) -> float:
        """From when on spam and phishing are flagged where the model has no thresholds."""

    @property
    def block_at(self) -> float:
        """From when on they are blocked."""


@dataclass(frozen=True, slots=True)
class Limit:
    """From ``score`` on, the label in ``column`` of an answer gets ``verdict``."""

    column: int
    score: float
    severity: int
    verdict: Verdict
    rule: str


def limits_of(labels: Sequence[str], thresholds: Thresholds, policy: str = MODEL) -> list[Limit]:
    """The limits of a version, in the order of its labels."""
    return [
        limit
        for column, label in enumerate(labels)
        if label in thresholds
        for limit in _limits(column, label, thresholds[label], policy)
    ]


def deciding(limits: Sequence[Limit], answer: Sequence[float]) -> Limit | None:
    """The limit that decides about probabilities shaped (labels,); None: none is reached, and the message is allowed.

    Both sides are rounded to ``PROBABILITY_DECIMALS``, as files show them. Of several labels over a threshold the more
    severe verdict counts, then the higher score, then the model's order.
    """
    reached = [limit for limit in limits if round(answer[limit.column], PROBABILITY_DECIMALS) >= limit.score]
    return max(reached, key=lambda limit: (limit.severity, answer[limit.column]), default=None)


class Judge:
    """Decides about messages of one version. Holds no state, so any thread may use it.

    Args:
        labels: of the model, in the order of its answers.
    """

    def __init__(self, labels: Sequence[str], info: ModelInfo, settings: VerdictSettings) -> None:
        self._model = f"{info.name} {info.version}"
        self._policy = settings.verdict_policy
        self._thresholds = info.thresholds or _defaults(labels, settings)
        self._limits = limits_of(labels, self._thresholds or {}, self._policy)
        lowest: dict[int, float] = {}
        for limit in self._limits:
            lowest[limit.column] = min(limit.score, lowest.get(limit.column, limit.score))
        self._allow = " and ".join(f"{labels[column]} < {score}" for column, score in lowest.items())

    @property
    def objection(self) -> InvalidInput | None:
        """Why there are no verdicts; None if there are."""
        return no_thresholds(self._model) if self._thresholds is None else None

    def verdict(self, answer: Sequence[float]) -> tuple[Verdict | None, str]:
        """The verdict on probabilities shaped (labels,), and the rule that decided, such as ``phishing >= 0.9``.

        None where there are no thresholds.
        """
        if self._thresholds is None:
            return None, f"{self._model} has no thresholds"
        limit = deciding(self._limits, answer)
        return ("allow", self._allow) if limit is None else (limit.verdict, limit.rule)

    def as_json(self) -> dict[str, object] | None:
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


def _limits(column: int, label: str, threshold: Threshold, policy: str) -> list[Limit]:
    limits = []
    if threshold.block is not None:
        score, mild = round(threshold.block, PROBABILITY_DECIMALS), policy == NEVER_BLOCK
        rule = f"{label} >= {score}"
        limits.append(Limit(column, score, BLOCK, "flag" if mild else "block", f"{rule} ({policy})" if mild else rule))
    if threshold.flag is not None:
        score = round(threshold.flag, PROBABILITY_DECIMALS)
        limits.append(Limit(column, score, FLAG, "flag", f"{label} >= {score}"))
    return limits
