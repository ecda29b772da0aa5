"""The publishers of jobs: as many as may publish at the same moment, each kept open for the next job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, LifoQueue

from sluice.tasks.errors import BrokerUnavailable
from sluice.web.gateway.ports import EnvelopePublisher

WAIT_S = 10.0


class PublisherPool:
    """Lent to request threads, the one used last first. Thread-safe.

    Args:
        make: makes one that has no connection yet.
        most: publishers that are lent at once; each holds one connection of Celery's producer pool from its first
            job on, so that a job costs no new channel.
        wait_s: seconds for which a request waits for one.
    """

    def __init__(self, make: Callable[[], EnvelopePublisher], most: int, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._idle: LifoQueue[EnvelopePublisher] = LifoQueue()
        for _ in range(most):
            self._idle.put(make())

    @contextmanager
    def acquire(self) -> Iterator[EnvelopePublisher]:
        """A publisher for the length of the block.

        Raises:
            BrokerUnavailable: all of them were busy for ``wait_s``.
        """
        try:
            publisher = self._idle.get(timeout=self._wait_s)
        except Empty:
            raise BrokerUnavailable("too many jobs are being submitted at once", retry_after_s=2) from None
        try:
            yield publisher
        except BaseException:
            publisher.close()  # whatever state its connection is in
            raise
        finally:
            self._idle.put(publisher)

    def close(self) -> None:
        """Give the connections of those that are not lent back to Celery's pool."""
        for publisher in list(self._idle.queue):
            publisher.close()
