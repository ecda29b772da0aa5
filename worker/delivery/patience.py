"""Waiting for a server that is away, as the result writer does it for all that it writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Interrupted(BaseException):
    """A server is away, and the worker is to end. No ``Exception``: Celery would take it for the follow-up's fault."""


class Patiently(Protocol):
    """Calls what it is given until its server takes it; raises ``Interrupted`` when the worker must end."""

    def __call__(self, action: Callable[[], T], /) -> T: ...
