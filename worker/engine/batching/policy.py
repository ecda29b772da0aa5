"""When a batch runs: the part of batching that knows the time. Pure: the time is an argument.

``dynamic``: a full batch runs as soon as the model has a place for it; one that is not full runs only on an idle
model, and then at once unless more messages are on their way, for which it waits until the oldest message's own
deadline. While the model is busy, waiting costs nothing and batches grow. ``static``: a batch runs when it is full or
the oldest message's deadline has come. ``none``: each message runs alone. These two are the textbook's, there for
comparison: they count messages only, so ``MAX_BATCH_TOKENS`` and ``DEDUPLICATE`` do not concern them.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.config.settings import Batching

#: Batches that may be with the model at once: one running, one ready behind it.
MODEL_PLACES = 2
#: A batch that takes longer, seconds, is not cut before the one in front of it is done: the gap between the two does
#: not show, and an interactive message that comes meanwhile is in the next batch, not in the one after.
SLOW_BATCH_S = 0.1
#: Arrivals closer together than this belong to one burst: the next message is probably on its way. Redis hands
#: over one broker message every 0.7 to 1.5 ms, RabbitMQ several per ms.
BURST_GAP_S = 0.002


@dataclass(slots=True)
class Arrivals:
    """Whether more messages are on their way, judged from what came lately."""

    last: float = float("-inf")
    in_burst: bool = False
    announced: bool = False

    def saw(self, now: float, more: int) -> None:
        """An envelope arrived at ``now``; its sender holds ``more`` messages for its next one."""
        self.in_burst = now - self.last < BURST_GAP_S
        self.announced = more > 0
        self.last = now

    def quiet_at(self) -> float:
        """Time at which, without another arrival, nothing more is expected; the past if nothing is now."""
        if self.announced:
            return float("inf")
        return self.last + BURST_GAP_S if self.in_burst else self.last


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides when to cut a batch.

    Args:
        mode: batching mode.
        wait_s: longest time the oldest message waits for others, seconds.
        places: batches that may be with the model at once.
        share: whether messages that read alike are computed once; in ``dynamic`` only.
    """

    mode: Batching
    wait_s: float
    places: int = MODEL_PLACES
    share: bool = True

    @property
    def shares(self) -> bool:
        return self.share and self.mode == "dynamic"

    def runs_at(self, *, oldest: float, full: bool, at_model: int, quiet_at: float) -> float:
        """Earliest time at which the next batch may run, given what is known now.

        Args:
            oldest: arrival time of the oldest waiting message.
            full: whether the waiting messages fill a batch.
            at_model: batches running or ready.
            quiet_at: from ``Arrivals.quiet_at``.

        Returns:
            A time on the caller's clock (in the past: now), or infinity: not before the model gets free or another
            message arrives.
        """
        if at_model >= self.places:
            return float("inf")
        if full or self.mode == "none":
            return float("-inf")
        deadline = oldest + self.wait_s
        if self.mode == "static":
            return deadline
        if at_model:
            return float("inf")
        return min(deadline, quiet_at)
