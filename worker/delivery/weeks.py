"""Adds what the model answered to the figures of its version and week, in the result backend's Redis."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis

from sluice.tasks import keys
from sluice.tasks.weeks import CONFIDENCE, KEPT_WEEKS, LABEL, MOST, UNIT, week_of
from sluice.tasks.wire.status import AnswerCounts
from sluice.worker.model.base import ModelInfo

WEEK_S = 7 * 86_400


class WeekWriter:
    """Writes the growth of the statistics since the last call, whole or not at all. One thread's.

    It is called with the worker's status, every two seconds, and not with every batch: what a worker answered after its
    last call is missing if it is killed, and is counted twice if the connection breaks while Redis answers.

    Args:
        model: whose answers they are.
        clock: seconds since 1970.
    """

    def __init__(self, client: redis.Redis, model: ModelInfo, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._model = model
        self._clock = clock
        self._written: dict[str, int] = {}

    def add(self, answers: AnswerCounts) -> None:
        """Write what ``Stats.answers`` has more than at the last call; nothing, if that is nothing.

        Raises:
            redis.RedisError: the server is away; the next call makes up for it.
        """
        total = _fields(answers)
        grown = {name: value - self._written.get(name, 0) for name, value in total.items()}
        if not any(grown.values()):
            return
        week, monday = week_of(self._clock())
        name = keys.week(week, self._model.name, self._model.version)
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(name, mapping={"week": week, "model": self._model.name, "version": self._model.version})
        for field, value in grown.items():
            if value:
                pipe.hincrby(name, field, value)
        pipe.expire(name, KEPT_WEEKS * WEEK_S)
        pipe.zadd(keys.WEEKS, {name: monday})
        pipe.zremrangebyscore(keys.WEEKS, "-inf", monday - KEPT_WEEKS * WEEK_S)
        pipe.zremrangebyrank(keys.WEEKS, 0, -MOST - 1)
        pipe.execute()
        self._written = total


def _fields(answers: AnswerCounts) -> dict[str, int]:
    """The statistics as whole numbers by field of the hash."""
    return {
        "messages": answers.messages,
        "pieces": answers.pieces,
        "unknown_pieces": answers.unknown_pieces,
        CONFIDENCE: round(answers.confidence * UNIT),
        **{f"{LABEL}{label}": count for label, count in answers.labels.items()},
    }
