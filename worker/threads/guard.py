"""A named thread whose death is never silent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class GuardedThread(threading.Thread):
    """Runs ``work`` and reports how it ended.

    Args:
        name: shown in logs and debuggers.
        on_death: called in this thread with the reason when ``work`` raises; it stops the process.
    """

    def __init__(self, name: str, on_death: Callable[[str], None]) -> None:
        super().__init__(name=f"sluice-{name}", daemon=True)
        self._on_death = on_death

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
