"""The batch former: lengths, ages and lanes in, batches out.

Interactive messages go before bulk ones, within a lane the oldest first. A model that pads costs
``overhead + n * longest`` tokens a batch, so for it the batch is a run of neighbours in a length-sorted window, the
oldest message always included (a window bounds how long a message of rare length is passed over). A model that
does not pad costs its real tokens, so order does not matter and the oldest are taken as they come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Generic, Protocol, TypeVar

#: Share of a batch that overdue bulk messages may claim ahead of interactive ones, so that neither lane starves.
BULK_SHARE = 8
#: A padded batch is cut from this many batches' worth of the oldest messages.
WINDOW_BATCHES = 8


class Waiting(Protocol):
    """What the former needs to know of a message."""

    @property
    def tokens(self) -> int: ...
    @property
    def arrived(self) -> float: ...
    @property
    def bulk(self) -> bool: ...


W = TypeVar("W", bound=Waiting)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one batch may hold.

    Args:
        messages: most messages.
        tokens: most tokens as the model computes them (padding counted if it pads); 0 for no limit.
        padded: whether the model pads every message to the longest of its batch.
        overhead_tokens: fixed cost of a batch, in tokens of work (the fitted ``a / b``).
        bulk_patience_s: age at which a bulk message may go ahead of interactive ones.
    """

    messages: int
    tokens: int = 0
    padded: bool = True
    overhead_tokens: float = 0.0
    bulk_patience_s: float = 1.0


class Former(Generic[W]):
    """Holds the waiting messages and cuts batches from them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._interactive: deque[W] = deque()
        self._bulk: deque[W] = deque()
        self._tokens = 0
        self._cuts = 0

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk)

    def __iter__(self) -> Iterator[W]:
        return chain(self._interactive, self._bulk)

    @property
    def bulk_waiting(self) -> int:
        return len(self._bulk)

    def add(self, message: W) -> None:
        (self._bulk if message.bulk else self._interactive).append(message)
        self._tokens += message.tokens

    def oldest(self) -> float | None:
        """Arrival time of the message that has waited longest, or None."""
        heads = [lane[0].arrived for lane in (self._interactive, self._bulk) if lane]
        return min(heads) if heads else None

    def full(self) -> bool:
        """Whether the waiting messages fill a batch, by count or by tokens."""
        return len(self) >= self.limits.messages or 0 < self.limits.tokens <= self._tokens

    def take(self, now: float) -> list[W]:
        """Remove and return the next batch; empty only if nothing waits.

        Args:
            now: current time on the clock of ``arrived``, seconds.
        """
        if not len(self):
            return []
        self._cuts += 1
        window = self._window(now)
        chosen = self._run(window) if self.limits.padded else self._prefix(window)
        self._remove(chosen)
        return chosen

    def take_oldest(self, count: int) -> list[W]:
        """Remove and return up to ``count`` messages in order of arrival over both lanes, whatever their size."""
        chosen = sorted(self, key=lambda message: message.arrived)[:count]
        self._remove(chosen)
        return chosen

    def discard(self, unwanted: Callable[[W], bool]) -> list[W]:
        """Remove and return the messages for which ``unwanted`` holds."""
        chosen = [message for message in self if unwanted(message)]
        if chosen:
            self._remove(chosen)
        return chosen

    def _window(self, now: float) -> list[W]:
        """The messages a batch may be cut from, most urgent first."""
        limits = self.limits
        size = limits.messages * (WINDOW_BATCHES if limits.padded else 1)
        first = list(islice(self._bulk, self._bulk_ahead(now)))
        window = first + list(islice(self._interactive, size - len(first)))
        return window + list(islice(self._bulk, len(first), len(first) + size - len(window)))

    def _bulk_ahead(self, now: float) -> int:
        """How many bulk messages go before the interactive ones in this batch."""
        limits = self.limits
        if not self._bulk or not self._interactive or now - self._bulk[0].arrived <= limits.bulk_patience_s:
            return 0
        if limits.padded:  # the first message decides the whole batch, so bulk gets one batch in so many
            return 1 if self._cuts % BULK_SHARE == 0 else 0
        return max(1, limits.messages // BULK_SHARE)

    def _prefix(self, window: list[W]) -> list[W]:
        """The most urgent messages whose real tokens fit."""
        limits = self.limits
        window = window[: limits.messages]
        if not limits.tokens:
            return window
        totals = accumulate(message.tokens for message in window)
        fitting = sum(1 for total in totals if total <= limits.tokens)
        return window[: max(1, fitting)]

    def _run(self, window: list[W]) -> list[W]:
        """The run of length-sorted neighbours around the most urgent message that costs least per real token."""
        limits = self.limits
        order = sorted(window, key=lambda message: message.tokens)
        head = next(i for i, message in enumerate(order) if message is window[0])
        sums = [0, *accumulate(message.tokens for message in order)]
        overhead = max(1.0, limits.overhead_tokens)  # never nothing: of equally dear runs the longest is the best
        best, best_cost = (head, head + 1), float("inf")
        for end in range(head + 1, min(len(order), head + limits.messages) + 1):
            longest = order[end - 1].tokens
            count = limits.messages
            if limits.tokens:
                count = min(count, max(1, limits.tokens // max(1, longest)))
            lowest = max(0, end - count)
            if lowest > head:
                break
            for start in range(lowest, head + 1):
                real = max(1, sums[end] - sums[start])
                cost = (overhead + longest * (end - start)) / real
                if cost < best_cost:
                    best, best_cost = (start, end), cost
        return order[best[0] : best[1]]

    def _remove(self, chosen: list[W]) -> None:
        gone = set(map(id, chosen))
        self._interactive = deque(message for message in self._interactive if id(message) not in gone)
        self._bulk = deque(message for message in self._bulk if id(message) not in gone)
        self._tokens -= sum(message.tokens for message in chosen)
