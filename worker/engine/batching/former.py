"""The batch former: lengths, ages and lanes in, batches out.

Interactive messages go before bulk ones, within a lane the oldest first. A model that pads costs
``overhead + n * longest`` tokens a batch, so for it the batch is a run of neighbours in a length-sorted window, the
oldest message always included (a window bounds how long a message of rare length is passed over). A model that
does not pad costs its real tokens, so order does not matter and the oldest are taken as they come.

Cutting a batch costs what the batch (or the window) costs, however many messages wait.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Generic, Protocol, TypeVar

#: Share of a batch that overdue bulk messages may claim ahead of interactive ones, so that neither lane starves.
BULK_SHARE = 8
#: A padded batch is cut from this many batches' worth of the oldest messages.
WINDOW_BATCHES = 8


class Waiting(Protocol):
    """What the former needs to know of a message; none of it may change while it waits."""

    @property
    def tokens(self) -> int: ...
    @property
    def arrived(self) -> float: ...
    @property
    def bulk(self) -> bool: ...
    def __hash__(self) -> int: ...


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


class BatchFormer(Generic[W]):
    """Holds the waiting messages and cuts batches from them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        # Ordered dicts as sets: messages leave from the front and from the middle at the same small cost.
        self._interactive: OrderedDict[W, None] = OrderedDict()
        self._bulk: OrderedDict[W, None] = OrderedDict()
        self._tokens = 0
        self._cuts = 0

    def __len__(self) -> int:
        return len(self._interactive) + len(self._bulk)

    def __iter__(self) -> Iterator[W]:
        return chain(self._interactive, self._bulk)

    def waiting(self, *, bulk: bool) -> int:
        """Messages that wait in one lane."""
        return len(self._bulk if bulk else self._interactive)

    def add(self, message: W) -> None:
        (self._bulk if message.bulk else self._interactive)[message] = None
        self._tokens += message.tokens

    def remove(self, message: W) -> None:
        """Take out one message that waits here."""
        del (self._bulk if message.bulk else self._interactive)[message]
        self._tokens -= message.tokens

    def put_back(self, messages: Sequence[W]) -> None:
        """Let messages of a batch go first again in their lanes, in this order, as if it had never been taken."""
        self._cuts -= 1
        for message in reversed(messages):
            self.add(message)
            (self._bulk if message.bulk else self._interactive).move_to_end(message, last=False)

    def oldest(self) -> float | None:
        """Arrival time of the message that has waited longest, or None."""
        heads = [next(iter(lane)).arrived for lane in (self._interactive, self._bulk) if lane]
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
        candidates = [*islice(self._interactive, count), *islice(self._bulk, count)]
        chosen = sorted(candidates, key=lambda message: message.arrived)[:count]
        self._remove(chosen)
        return chosen

    def discard(self, unwanted: Callable[[W], bool]) -> list[W]:
        """Remove and return the messages for which ``unwanted`` holds."""
        chosen = [message for message in self if unwanted(message)]
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
        if not self._bulk or not self._interactive:
            return 0
        if now - next(iter(self._bulk)).arrived <= limits.bulk_patience_s:
            return 0
        if limits.padded:  # the first message decides the whole batch, so bulk gets one batch in so many
            return 1 if self._cuts % BULK_SHARE == 0 else 0
        share = islice(self._bulk, max(1, limits.messages // BULK_SHARE))
        return max(1, self._fitting(share, limits.tokens // BULK_SHARE))

    def _prefix(self, window: list[W]) -> list[W]:
        """The most urgent messages whose real tokens fit."""
        return window[: max(1, self._fitting(window, self.limits.tokens))]

    def _fitting(self, messages: Iterable[W], tokens: int) -> int:
        """How many of the first messages fit into so many tokens; all of them if there is no limit."""
        totals = accumulate(message.tokens for message in messages)
        return sum(1 for total in totals if not self.limits.tokens or total <= tokens)

    def _run(self, window: list[W]) -> list[W]:
        """The run of length-sorted neighbours around the most urgent message that costs least per real token."""
        limits = self.limits
        order = sorted(window, key=lambda message: message.tokens)
        head = next(i for i, message in enumerate(order) if message is window[0])
        sums = [0, *accumulate(message.tokens for message in order)]
        best, best_cost = (head, head + 1), float("inf")
        for end in range(head + 1, min(len(order), head + limits.messages) + 1):
            longest = order[end - 1].tokens
            count = limits.messages
            if limits.tokens:
                count = min(count, max(1, limits.tokens // max(1, longest)))
            lowest = max(0, end - count)
            if lowest > head:
                break
            start, cost = self._cheapest_start(sums, lowest, head, end)
            if cost < best_cost:
                best, best_cost = (start, end), cost
        return order[best[0] : best[1]]

    def _cheapest_start(self, sums: list[int], lowest: int, head: int, end: int) -> tuple[int, float]:
        """Where a run up to ``end`` should begin, and what it costs per real token.

        Each message further down is shorter, so it adds more padding than the one before it: once one makes the run
        dearer, so do all below it. That makes the turn a matter of halving.

        Args:
            sums: tokens before each position of the length-sorted messages.
        """
        # Never no overhead: of equally dear runs the longest is the best.
        overhead = max(1.0, self.limits.overhead_tokens)
        longest = sums[end] - sums[end - 1]

        def cost(start: int) -> float:
            return (overhead + longest * (end - start)) / max(1, sums[end] - sums[start])

        start = bisect_left(range(lowest, head), True, key=lambda start: cost(start) < cost(start + 1)) + lowest
        return start, cost(start)

    def _remove(self, chosen: Iterable[W]) -> None:
        for message in chosen:
            self.remove(message)
