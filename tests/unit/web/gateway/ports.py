"""Ports of a gateway that tests give it: publishers that are watched, or that refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery

from sluice.tasks.publisher import Publisher
from sluice.web.gateway.ports import EnvelopePublisher

Options = dict[str, Any]


class WatchedPublisher:
    """A real publisher; calls ``before`` with the options of each envelope, whose error becomes its own."""

    def __init__(self, app: Celery, before: Callable[[Options], object]) -> None:
        self._real = Publisher(app)
        self._before = before

    def publish(self, messages: Sequence[str | dict[str, str | None]], **options: Any) -> str:
        self._before(options)
        return self._real.publish(messages, **options)

    def close(self) -> None:
        self._real.close()


def watched(before: Callable[[Options], object]) -> Callable[[Celery], EnvelopePublisher]:
    return lambda app: WatchedPublisher(app, before)


def refusing(error: BaseException) -> Callable[[Celery], EnvelopePublisher]:
    def refuse(options: Options) -> None:
        raise error

    return watched(refuse)
