"""Brings other threads' notes to the main thread: one pending call of the hub for any number of notes."""

from __future__ import annotations

from collections.abc import Callable

from sluice.worker.consumer.transport.kombu_types import Hub


class Waker:
    """Makes Celery's hub call ``action`` soon.

    Args:
        hub: kombu's event loop; its ``call_soon`` is the one method of it that other threads may call.
        action: runs on the main thread.
    """

    def __init__(self, hub: Hub, action: Callable[[], None]) -> None:
        self._hub = hub
        self._action = action
        self._pending = False

    def wake(self) -> None:
        """From any thread."""
        if not self._pending:
            self._pending = True
            self._hub.call_soon(self._run)

    def again(self) -> None:
        """After a new broker connection: the hub forgets calls that were ready when the old one broke."""
        self._pending = False
        self.wake()

    def _run(self) -> None:
        self._pending = False  # before reading: a note that comes from now on asks anew
        self._action()
