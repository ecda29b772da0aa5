"""What a caller wants to know of each message beyond its label and probability. Every route takes these wishes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: The keywords of a call.
WISHES = ("scores", "verdict")
#: Fields of an entry that are there for those who asked, by the wish.
SCORES, VERDICT = ("scores",), ("verdict", "rule")


@dataclass(frozen=True, slots=True)
class Wish:
    """What entries are to hold.

    Attributes:
        scores: the probability of every label.
        verdict: ``allow``, ``flag`` or ``block``, and the rule that decided.
    """

    scores: bool = False
    verdict: bool = False

    def only(self, entry: dict[str, Any]) -> dict[str, Any]:
        """The entry without what somebody else in its envelope has asked for."""
        unasked = SCORES * (not self.scores) + VERDICT * (not self.verdict)
        return {name: value for name, value in entry.items() if name not in unasked}


PLAIN = Wish()


def together(wishes: Iterable[Wish]) -> Wish:
    """All that any of these callers asked for."""
    distinct = set(wishes)
    if len(distinct) == 1:
        return distinct.pop()
    return Wish(any(one.scores for one in distinct), any(one.verdict for one in distinct))
