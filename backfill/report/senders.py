"""Who sends most of what nobody wants."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: Senders that are remembered for sure; up to twice as many are counted exactly.
CAPACITY = 16_384
#: Fewest rows of a sender that is ranked.
MIN_ROWS = 3
#: Two-sided 95% of the normal distribution.
Z = 1.96


@dataclass(slots=True)
class Sender:
    """What is known of one sender.

    Attributes:
        rows, unwanted: rows seen since it was last taken in, and those of them with an unwanted label.
        missed: at most so many rows came before that.
    """

    name: str
    rows: int = 0
    unwanted: int = 0
    missed: int = 0
    weight: int = 0
    """The counter of the method: rows less what has been taken off everybody."""

    @property
    def share(self) -> float:
        return self.unwanted / self.rows

    @property
    def bound(self) -> float:
        return wilson(self.unwanted, self.rows)


class Senders:
    """The most frequent senders of a stream, in bounded memory.

    Exact up to ``2 * capacity`` distinct senders. Beyond that it is Misra and Gries's summary ("Finding repeated
    elements", Science of Computer Programming 2, 1982) in the mergeable form of Agarwal et al. ("Mergeable summaries",
    PODS 2012): whoever has more than ``rows / (capacity + 1)`` rows is in it, and no count falls short by more.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._by_name: dict[str, Sender] = {}
        self._taken_off = 0

    def add(self, counts: Mapping[str, tuple[int, int]]) -> None:
        """Count a batch: rows, and the unwanted ones among them, by sender."""
        known = self._by_name
        for name, (rows, unwanted) in counts.items():
            sender = known.get(name)
            if sender is None:
                sender = known[name] = Sender(name, missed=self._taken_off)
            sender.rows += rows
            sender.unwanted += unwanted
            sender.weight += rows
        if len(known) > 2 * self._capacity:
            self._shrink()

    def _shrink(self) -> None:
        """Take the weight of the first one that is too many off everybody; who has none left goes."""
        cut = sorted((sender.weight for sender in self._by_name.values()), reverse=True)[self._capacity]
        self._taken_off += cut
        for sender in self._by_name.values():
            sender.weight -= cut
        self._by_name = {name: sender for name, sender in self._by_name.items() if sender.weight > 0}

    @property
    def missed(self) -> int:
        """No count falls short by more; 0 while all are exact."""
        return self._taken_off

    @property
    def distinct(self) -> int:
        """Senders that are remembered: all of them while ``missed`` is 0."""
        return len(self._by_name)

    def top(self, count: int, min_rows: int = MIN_ROWS) -> list[Sender]:
        """Those with the highest lower bound of their unwanted share; only with ``min_rows`` and an unwanted one."""
        ranked = [sender for sender in self._by_name.values() if sender.rows >= min_rows and sender.unwanted]
        return sorted(ranked, key=lambda sender: (-sender.bound, -sender.rows, sender.name))[:count]

    def busiest(self, count: int, min_rows: int = MIN_ROWS) -> list[Sender]:
        """Those with most rows, ``min_rows`` at least."""
        ranked = [sender for sender in self._by_name.values() if sender.rows >= min_rows]
        return sorted(ranked, key=lambda sender: (-sender.rows, sender.name))[:count]


def wilson(hits: int, trials: int, z: float = Z) -> float:
    """The lower bound of Wilson's score interval for a share: 1 of 1 is 0.21, 99 of 100 is 0.95.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212.
    """
    if trials == 0:
        return 0.0
    share = hits / trials
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (share + z * z / (2 * trials) - spread) / (1 + z * z / trials))
