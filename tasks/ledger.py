"""How many messages are in the system, per lane: published less answered, counted in the result store.

A broker counts envelopes, and not those that a worker holds. So whoever publishes an envelope adds its messages to the
ledger before, and marks the envelope in its headers (``sluice.tasks.wire.headers``); the worker takes them off together
with storing the result. What others publish has no mark; of these, workers note how many messages they had, for
estimates.

One Redis hash with four numbers a lane, ``LANE:NAME``: ``envelopes`` and ``messages`` are out; ``other_envelopes`` and
``other_messages`` came without a mark, since ever. The numbers drift when a queue is purged or a process dies at the
wrong moment; ``sluice.web.gateway.backlog`` compares them with the broker and puts them right.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

import redis
from redis.client import Pipeline

from sluice.tasks import keys
from sluice.tasks.envelope import LANES
from sluice.tasks.redis_client import connect

log = logging.getLogger(__name__)

#: Seconds for an answer, and seconds without another try after one that failed: a client shall not wait for counting.
TIMEOUT_S = 1.0
PAUSE_S = 30.0


@dataclass(frozen=True, slots=True)
class Count:
    """Envelopes, and the messages in them."""

    envelopes: int = 0
    messages: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.envelopes + other.envelopes, self.messages + other.messages)

    def __neg__(self) -> Count:
        return Count(-self.envelopes, -self.messages)

    def __bool__(self) -> bool:
        return bool(self.envelopes or self.messages)


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """``out``: published and not answered; ``others``: answered ones that came without a mark."""

    out: Count = Count()
    others: Count = Count()


def add(pipe: Pipeline, lane: str, count: Count, *, others: bool = False) -> None:
    """Add to a lane's numbers in a pipeline; a negative count takes off."""
    prefix = "other_" if others else ""
    pipe.hincrby(keys.LEDGER, f"{lane}:{prefix}envelopes", count.envelopes)
    pipe.hincrby(keys.LEDGER, f"{lane}:{prefix}messages", count.messages)


def take_off(pipe: Pipeline, answered: Iterable[tuple[str, int, bool]]) -> int:
    """Note answered envelopes in a pipeline: lane, messages and whether it was counted, of each.

    Returns:
        How many commands that takes.
    """
    before = len(pipe)
    sums: dict[tuple[str, bool], Count] = {}
    for lane, messages, counted in answered:
        sums[lane, counted] = sums.get((lane, counted), Count()) + Count(1, messages)
    for (lane, counted), count in sums.items():
        add(pipe, lane, -count if counted else count, others=not counted)
    return len(pipe) - before


def fields() -> list[str]:
    """The names of all numbers, in the order that ``unpack`` expects."""
    names = ("envelopes", "messages", "other_envelopes", "other_messages")
    return [f"{lane}:{name}" for lane in LANES for name in names]


def unpack(values: list[bytes | None]) -> dict[str, LaneCounts]:
    """The numbers of ``fields()`` by lane; one that is none is 0."""
    numbers = [int(value) if value and value.lstrip(b"-").isdigit() else 0 for value in values]
    quads = [numbers[at : at + 4] for at in range(0, len(numbers), 4)]
    return {lane: LaneCounts(Count(*quad[:2]), Count(*quad[2:])) for lane, quad in zip(LANES, quads, strict=True)}


class Ledger:
    """The ledger for a client that sends envelope by envelope. Thread-safe; connects at first use.

    Args:
        backend_url: Redis URL of the result backend.
    """

    def __init__(self, backend_url: str) -> None:
        self._client = connect(backend_url, socket_timeout=TIMEOUT_S)
        self._paused_until = 0.0

    def add(self, lane: str, count: Count) -> bool:
        """Count an envelope that is about to be sent, or take it off; False: it was not counted."""
        if time.monotonic() < self._paused_until:
            return False
        try:
            pipe = self._client.pipeline(transaction=False)
            add(pipe, lane, count)
            pipe.execute()
        except redis.RedisError as exc:
            self._paused_until = time.monotonic() + PAUSE_S
            log.debug("messages are not counted for %.0f s (%s)", PAUSE_S, type(exc).__name__)
            return False
        return True
