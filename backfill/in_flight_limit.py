"""How many messages may be under way: as many as the workers answer in a moment, so that the broker stays short."""

from __future__ import annotations

from sluice.backfill.clients.base import Demand

#: Seconds of work that are kept under way: enough to bridge every hiccup of this process, little enough that a stop
#: or an interactive message finds a short queue.
AHEAD_S = 0.5
#: The rate is taken anew over at least so many seconds.
SLICE_S = 0.2
#: Share of a new slice in the rate.
WEIGHT = 0.4


class InFlightLimit:
    """The drain rate as it is seen from here, and the messages that may be under way because of it.

    With ``n`` messages under way at most ``n / latency`` are answered, so a limit that follows ``rate * AHEAD_S``
    grows until the workers, not the limit, set the rate.

    Args:
        most: messages under way that are never exceeded.
        now: time on the clock of ``answered``, seconds.
    """

    def __init__(self, most: int, now: float) -> None:
        self._most = most
        self._rate = 0.0
        self._since = now
        self._count = 0

    def answered(self, count: int, now: float) -> None:
        """``count`` messages have been answered."""
        self._count += count
        took = now - self._since
        if took < SLICE_S:
            return
        rate = self._count / took
        self._rate = rate if not self._rate else (1 - WEIGHT) * self._rate + WEIGHT * rate
        self._since, self._count = now, 0

    def messages(self, demand: Demand) -> int:
        """Most messages under way now."""
        return max(1, min(self._most, max(demand.floor, int(self._rate * AHEAD_S))))
