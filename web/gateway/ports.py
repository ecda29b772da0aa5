"""What a gateway reaches the rest of the service through. Each part can be given another at construction."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import redis
from celery import Celery
from kombu import Connection

from sluice.tasks.prediction_options import LABEL_ONLY, PredictionOptions
from sluice.tasks.publisher import Publisher
from sluice.tasks.queues import QueueCounter
from sluice.tasks.replies import ReplyListener
from sluice.tasks.revocation import revoke
from sluice.tasks.server import Availability, Server
from sluice.tasks.wire.reply import IndexedEntries
from sluice.web.gateway.job_store import JobStore


class EnvelopePublisher(Protocol):
    """Puts envelopes on the broker, for one thread at a time (``sluice.tasks.publisher.Publisher``)."""

    def publish(
        self,
        messages: Sequence[str | dict[str, str | None]],
        *,
        lane: str = "interactive",
        envelope_id: str | None = None,
        reply_to: str | None = None,
        more: int = 0,
        group_id: str | None = None,
        group_index: int | None = None,
        options: PredictionOptions = LABEL_ONLY,
        counted: bool = False,
    ) -> str: ...

    def close(self) -> None:
        """Give the connection back; the next ``publish`` takes another."""


class ReplySource(Protocol):
    """Hands over the answers of workers as they come (``sluice.tasks.replies.ReplyListener``)."""

    address: str

    def start(self) -> None: ...

    def stop(self) -> None: ...


class QueueLook(Protocol):
    """Looks at the broker's queues over one connection (``sluice.tasks.queues.QueueCounter``)."""

    def waiting(self, queue: str) -> int: ...

    def held(self) -> int | None: ...

    def require_writes(self) -> None: ...

    def sample(self, queue: str) -> list[int]: ...


OnAnswers = Callable[[str, IndexedEntries], None]


@dataclass(frozen=True, slots=True)
class Ports:
    """How each is made; called in the process that serves, when its first request comes.

    Attributes:
        publisher: one for the dispatcher and some for jobs.
        replies: told to whom to hand answers over.
        job_store: descriptions and progress of jobs, in Redis of the result backend, kept for so many seconds.
        queues: made anew for each connection.
        revoke: keeps the workers from beginning envelopes.
        now: Unix seconds.
        pid: of the process that asks; another one than before means that it was forked.
    """

    publisher: Callable[[Celery], EnvelopePublisher] = Publisher
    replies: Callable[[str, OnAnswers, Availability], ReplySource] = ReplyListener
    job_store: Callable[[redis.Redis, int, Server], JobStore] = JobStore
    queues: Callable[[Connection], QueueLook] = QueueCounter
    revoke: Callable[[Celery, redis.Redis, Sequence[str], int], None] = revoke
    now: Callable[[], float] = time.time
    pid: Callable[[], int] = os.getpid
