"""What a caller wants to know of each message beyond its label and probability. Every route takes these options."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from sluice.tasks.wire.entry import Entry, Prediction, is_prediction

#: The keywords of a call.
OPTION_NAMES = ("scores", "verdict")
#: Fields of a prediction that are there for those who asked, by the option.
SCORES, VERDICT = ("scores",), ("verdict", "rule")


@dataclass(frozen=True, slots=True)
class PredictionOptions:
    """What predictions are to hold.

    Attributes:
        scores: the probability of every label.
        verdict: ``allow``, ``flag`` or ``block``, and the rule that decided.
    """

    scores: bool = False
    verdict: bool = False

    def trimmed(self, entry: Entry) -> Entry:
        """The entry without what somebody else in its envelope has asked for."""
        if not is_prediction(entry) or (self.scores and self.verdict):
            return entry
        unasked = SCORES * (not self.scores) + VERDICT * (not self.verdict)
        return cast(Prediction, {name: value for name, value in entry.items() if name not in unasked})


LABEL_ONLY = PredictionOptions()


def combined(options: Iterable[PredictionOptions]) -> PredictionOptions:
    """All that any of these callers asked for."""
    distinct = set(options)
    if len(distinct) == 1:
        return distinct.pop()
    return PredictionOptions(any(one.scores for one in distinct), any(one.verdict for one in distinct))
