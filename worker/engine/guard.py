"""A named thread whose death is never silent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class GuardedThread:
    """Runs ``work`` in a thread of its own and reports how it ended.

    It has a thread and is none: Python's own class has attributes of its own beside ours, more with every version.

    Args:
        name: shown in logs and debuggers.
        on_death: called in the thread with the reason when ``work`` raises; it stops the process.
    """

    def __init__(self, name: str, on_death: Callable[[str], None]) -> None:
        self.__thread = threading.Thread(target=self.run, name=f"sluice-{name}", daemon=True)
        self._on_death = on_death

    @property
    def name(self) -> str:
        return self.__thread.name

    def start(self) -> None:
        self.__thread.start()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until it has ended, or so many seconds."""
        self.__thread.join(timeout_s)

    def is_alive(self) -> bool:
        return self.__thread.is_alive()

    def work(self) -> None:
        raise NotImplementedError

    def run(self) -> None:
        log.debug("thread %s runs", self.name)
        try:
            self.work()
        except BaseException as exc:
            log.critical("thread %s died", self.name, exc_info=True)
            self._on_death(f"thread {self.name} died: {type(exc).__name__}: {exc}")
        else:
            log.debug("thread %s ended", self.name)
