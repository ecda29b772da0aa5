"""The messages in the system, per lane, as this process knows them; decides whether there is room for more.

What this process publishes is counted here at once and goes into the ledger (``sluice.tasks.ledger``) within
``EXCHANGE_EVERY_S``, from where the other processes' messages come and where workers take off what is answered. Near a
limit the ledger is asked before a message is let in, so that several processes together keep it too.

The monitor tells what the broker holds. From that come estimates of what nobody counted, and corrections: of purged
queues, lost counters and processes that died between counting and publishing.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

import redis

from sluice.tasks import keys
from sluice.tasks.envelope import ENVELOPE_MESSAGES, LANES
from sluice.tasks.errors import QueueFull
from sluice.tasks.ledger import Count, LaneCounts, add, fields, unpack

log = logging.getLogger(__name__)

#: Least time between two exchanges with the ledger in the background, and most without one, seconds.
EXCHANGE_EVERY_S = 0.05
IDLE_EVERY_S = 0.5
#: What is known of other processes counts as new for so long, seconds, where it decides.
FRESH_S = 0.002
#: From this share of a limit on, it decides.
NEAR = 0.5
#: Seconds without another try, by request threads, after one that failed.
PAUSE_S = 1.0
#: Looks at the broker in a row that have to agree: that something is there which nobody counted, and, longer, that
#: something counted is not there.
UNCOUNTED_LOOKS = 3
MISSING_S = 6.0
#: Messages per envelope that nobody counted, as long as no worker has seen one.
FIRST_MEAN = {"interactive": 1.0, "bulk": float(ENVELOPE_MESSAGES)}


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison of a lane.

    Attributes:
        out: envelopes that were counted and are not answered.
        missing: of these, those that neither the broker nor a worker has, though they were counted a look before.
        uncounted: envelopes that the broker has and that nobody counted.
        impossible: the numbers cannot be right, as when some were lost.
    """

    at: float
    out: int
    missing: int
    uncounted: int
    impossible: bool


class Backlog:
    """Counts messages in and out. Thread-safe.

    Args:
        client: Redis of the result backend; with a short timeout, request threads wait for it.
        limit: messages of a lane above which no more are let in.
    """

    def __init__(self, client: redis.Redis, limit: int) -> None:
        self._client = client
        self._limit = limit
        self._mutex = threading.Lock()
        self._exchanging = threading.Lock()
        self._own = dict.fromkeys(LANES, Count())
        self._shared = dict.fromkeys(LANES, LaneCounts())
        self._uncounted = dict.fromkeys(LANES, 0.0)
        self._looks: dict[str, deque[Look]] = {lane: deque() for lane in LANES}
        self._read_at = self._paused_until = 0.0
        self._changed = threading.Event()
        self._flushing = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sluice-backlog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def flush(self) -> None:
        """Hand over what is counted, now and at once from now on: the process may end at any moment."""
        self._flushing.set()
        self._changed.set()
        self._exchange()

    def stop(self) -> None:
        """Hand over what is counted, and end the thread."""
        self._stopping.set()
        self.flush()
        self._thread.join(timeout=2)

    def enter(self, lane: str, count: Count) -> None:
        """Count what is about to be published; a negative count takes back what was not."""
        with self._mutex:
            self._own[lane] += count
        self._changed.set()

    def depth(self, lane: str) -> int:
        """Messages of a lane that are published and not answered; an estimate as far as nobody counted them."""
        with self._mutex:
            return self._depth(lane)

    def admit(self, lane: str, count: Count, pending: int = 0) -> None:
        """Let messages in, and count them, or not: they come in as a whole while the lane is below its limit.

        Args:
            count: what is about to be published; nothing, for one message that is counted with its envelope.
            pending: messages of this process that are let in and not counted yet.

        Raises:
            QueueFull: without ``retry_after_s``; ``details`` has ``waiting`` and ``limit``.
        """
        # Far from the limit no lock is needed: what an exchange is moving is missed for a moment.
        if self._depth(lane) + pending + count.messages >= NEAR * self._limit or not self._read_at:
            self._refresh()
        elif not count:
            return
        with self._mutex:
            depth = self._depth(lane) + pending
            if depth < self._limit:
                if count:
                    self._own[lane] += count
                    self._changed.set()
                return
        raise QueueFull(
            f"{depth} messages are waiting, the limit is {self._limit}",
            {"lane": lane, "waiting": depth, "limit": self._limit},
        )

    def compare(self, waiting: Mapping[str, int], held: int, means: Mapping[str, float]) -> None:
        """Hold the ledger against the broker; called again and again by one thread.

        Args:
            waiting: envelopes in the queue of each lane.
            held: envelopes that workers have taken from any lane and not acknowledged.
            means: messages per envelope of those that nobody counted, where it is known.
        """
        self._exchange()
        now = monotonic()
        for lane, count in waiting.items():
            out = self._out(lane)
            looks = self._looks[lane]
            looks.append(
                Look(
                    now,
                    out=out.envelopes,
                    missing=max(0, min(out.envelopes, looks[-1].out if looks else 0) - count - held),
                    uncounted=max(0, min(count, count - out.envelopes)),
                    impossible=out.envelopes < 0 or (out.envelopes == 0 and out.messages != 0),
                )
            )
            while looks[0].at < now - MISSING_S:
                looks.popleft()
            uncounted = min(look.uncounted for look in list(looks)[-UNCOUNTED_LOOKS:])
            self._uncounted[lane] = uncounted * self._mean(lane, means)
            if now - looks[0].at > MISSING_S - 2 * IDLE_EVERY_S:
                self._correct(lane, out, looks)

    def forget_broker(self) -> None:
        """The broker is away: nothing is known of what only it knows."""
        for lane in LANES:
            self._looks[lane].clear()
            self._uncounted[lane] = 0.0

    def _out(self, lane: str) -> Count:
        with self._mutex:
            return self._shared[lane].out + self._own[lane]

    def _depth(self, lane: str) -> int:
        known = self._shared[lane].out.messages + self._own[lane].messages
        return max(0, known) + int(self._uncounted[lane])

    def _mean(self, lane: str, means: Mapping[str, float]) -> float:
        others = self._shared[lane].others
        if lane in means:
            return max(1.0, means[lane])
        return max(1.0, others.messages / others.envelopes) if others.envelopes > 0 else FIRST_MEAN[lane]

    def _correct(self, lane: str, out: Count, looks: deque[Look]) -> None:
        """Take off what was counted and has been gone for a while; no lane holds less than nothing either."""
        gone = min(look.missing for look in looks)
        if gone > 0:
            wrong = Count(gone, round(out.messages * gone / out.envelopes)) if gone < out.envelopes else out
        elif all(look.impossible for look in looks):
            wrong = out
        else:
            return
        try:
            if self._client.set(keys.ledger_checked(lane), 1, nx=True, px=int(MISSING_S * 1000)):
                log.info("%s: %d envelopes less are in the system than were counted", lane, wrong.envelopes)
                self.enter(lane, -wrong)
        except redis.RedisError:
            return
        looks.clear()

    def _is_stale(self) -> bool:
        now = monotonic()
        return now - self._read_at > FRESH_S and now > self._paused_until

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._changed.wait(IDLE_EVERY_S)
            self._changed.clear()
            self._exchange()
            self._flushing.wait(EXCHANGE_EVERY_S)

    def _refresh(self) -> None:
        """Ask the ledger if what is known of it is old. While another thread asks, only the first answer is awaited."""
        if self._is_stale() and self._exchanging.acquire(blocking=not self._read_at):
            try:
                if self._is_stale():
                    self._exchange_now()
            finally:
                self._exchanging.release()

    def _exchange(self) -> None:
        with self._exchanging:
            self._exchange_now()

    def _exchange_now(self) -> None:
        """Write what is new here, read what is new elsewhere."""
        with self._mutex:
            taken = self._own.copy()
        pipe = self._client.pipeline(transaction=False)
        for lane, count in taken.items():
            if count:
                add(pipe, lane, count)
        pipe.hmget(keys.LEDGER, fields())
        started = monotonic()
        try:
            shared = unpack(pipe.execute()[-1])
        except (redis.RedisError, TypeError) as exc:
            log.debug("the ledger cannot be reached (%s)", type(exc).__name__)
            self._paused_until = started + PAUSE_S
            return
        with self._mutex:
            for lane, count in taken.items():
                self._own[lane] += -count
            self._shared = shared
        self._read_at = started
