"""Group commit: messages that arrive while one envelope is being published travel together in the next.

Request threads append to a list; one dispatcher thread takes all of it. An idle dispatcher publishes at once, so a
lone request waits for nobody, and the busier broker and workers are, the larger the envelopes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from copy import copy
from time import monotonic, sleep
from uuid import uuid4

from sluice.tasks.errors import BrokerUnavailable, SluiceError
from sluice.tasks.ledger import Count
from sluice.tasks.prediction_options import combined
from sluice.web.gateway.dispatch_policy import DispatchPolicy
from sluice.web.gateway.ports import EnvelopePublisher
from sluice.web.gateway.waiting import Registry, SharedEnvelope, Waiter

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 5

#: Least time, seconds, between two envelopes while an earlier one is unanswered. The workers are busy then, so it costs
#: a caller next to nothing, and larger envelopes spare both sides (docs/wsgi.md has the figures).
PACE_S = 0.001


class Dispatcher:
    """The pending list and the thread that empties it.

    Args:
        publisher: owned by the dispatcher thread from now on.
        registry: where answers find their waiters; an envelope is registered before it is published.
        reply_to: address of this process's reply listener.
        count: called in the dispatcher thread with each envelope before it goes out, and with its negative if it does
            not; before the messages cease to be ``held``, so that they are always counted somewhere.
        policy: asked before each envelope.
    """

    def __init__(
        self,
        publisher: EnvelopePublisher,
        registry: Registry,
        reply_to: str,
        count: Callable[[Count], None],
        policy: Callable[[], DispatchPolicy] = DispatchPolicy,
    ) -> None:
        self._publisher = publisher
        self._registry = registry
        self._reply_to = reply_to
        self._count = count
        self._policy = policy
        self._mutex = threading.Lock()
        self._pending: list[Waiter] = []
        self._idle = True
        self._stopping = False
        self._published_at = 0.0
        self._work = threading.Lock()  # held while there is nothing to do
        self._work.acquire()
        self._thread = threading.Thread(target=self._run, name="sluice-dispatcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, waiter: Waiter) -> None:
        """Hand a message over; called by request threads.

        Raises:
            BrokerUnavailable: this process is stopping.
        """
        with self._mutex:
            if self._stopping:
                raise BrokerUnavailable("this server is stopping", retry_after_s=1)
            self._pending.append(waiter)
            wake, self._idle = self._idle, False
        if wake:
            self._work.release()

    def withdraw(self, waiter: Waiter) -> bool:
        """Take back a message that was not published yet; False when the dispatcher has it already."""
        with self._mutex:
            try:
                self._pending.remove(waiter)
            except ValueError:
                return False
            return True

    def held(self) -> int:
        """Messages that wait for the dispatcher."""
        return len(self._pending)

    def stop(self) -> None:
        """Publish what is pending, then end the thread."""
        with self._mutex:
            self._stopping = True
            wake, self._idle = self._idle, False
        if wake:
            self._work.release()
        self._thread.join(timeout=STOP_TIMEOUT_S)

    def _run(self) -> None:
        while True:
            self._work.acquire()
            while True:
                policy = self._policy()
                self._pace(policy)
                with self._mutex:
                    taken = self._pending[: policy.messages]
                    if taken:
                        self._count(Count(1, len(taken)))
                    self._pending = self._pending[policy.messages :]
                    more = len(self._pending)
                    if not taken:
                        if self._stopping:
                            break
                        self._idle = True
                        break
                self._publish(taken, more)
            if self._stopping:
                self._publisher.close()
                return

    def _pace(self, policy: DispatchPolicy) -> None:
        """Let an envelope fill: for the linger, and while the workers are busy with an earlier one."""
        if not self._pending or len(self._pending) >= policy.messages or self._stopping:
            return
        pace = self._published_at + PACE_S - monotonic() if self._registry else 0.0
        if (left := max(pace, policy.linger_s)) > 0:
            sleep(left)

    def _publish(self, waiters: list[Waiter], more: int) -> None:
        envelope_id = str(uuid4())
        for index, waiter in enumerate(waiters):
            waiter.envelope_id = envelope_id
            waiter.index = index
            waiter.alone = len(waiters) == 1
        self._registry.expect(envelope_id, SharedEnvelope(waiters))
        try:
            self._publisher.publish(
                [{"id": waiter.token, "text": waiter.text} for waiter in waiters],
                envelope_id=envelope_id,
                reply_to=self._reply_to,
                more=more,
                options=combined(waiter.options for waiter in waiters),
                counted=True,
            )
        except Exception as exc:  # a dispatcher that dies would hang every caller
            self._fail(envelope_id, waiters, exc)
            return
        self._published_at = monotonic()
        for waiter in waiters:
            waiter.mark_published()

    def _fail(self, envelope_id: str, waiters: list[Waiter], exc: Exception) -> None:
        self._registry.forget(envelope_id)
        self._count(Count(-1, -len(waiters)))
        if not isinstance(exc, SluiceError):
            log.error("an envelope could not be published: %s", type(exc).__name__)
            exc = BrokerUnavailable("the message could not be handed to the broker", retry_after_s=1)
        for waiter in waiters:
            waiter.fail(copy(exc))  # each is raised in a thread of its own, with a traceback of its own
