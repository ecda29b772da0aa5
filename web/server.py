"""Runs the WSGI server. ``docs/wsgi.md`` has the measurements behind the choice."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize
from typing import Any

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from sluice.config.settings import Settings
from sluice.tasks.parent import end_with
from sluice.web.app import create_app
from sluice.web.http.request_id import LogFilter
from sluice.web.tcp_keepalive import enable_keepalive

#: Seconds after SIGTERM in which waiting callers may still get their answers; then they get a 202.
DRAIN_S = 4.0
#: Seconds after SIGTERM when a process that did not end is killed.
KILL_S = 30
BACKLOG = 1024
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s:%(request)s %(message)s"


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; every request that was accepted is answered first."""
    logging.basicConfig(level=settings.log_level.upper(), format=LOG_FORMAT)
    for handler in logging.getLogger().handlers:
        handler.addFilter(LogFilter())
    server = Server(
        "web",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=settings.web_threads,
        backpressure=max(2 * settings.web_threads, BACKLOG),
        backlog=BACKLOG,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=30_000, keep_alive=True),
        loop=Loops.asyncio,
        websockets=False,
        log_enabled=True,
        log_level=LogLevels.error,  # its one warning is about the number of threads, which mostly wait here
        log_access=False,
        workers_kill_timeout=KILL_S,
        respawn_failed_workers=True,
    )
    server.serve(target_loader=_Loader(settings, os.getpid()), wrap_loader=False)


class _Loader:
    """Makes the app in the process that serves.

    Args:
        parent: the process that starts those that serve; it may be dead by the time they look.
    """

    def __init__(self, settings: Settings, parent: int) -> None:
        self._settings = settings
        self._parent = parent

    def __call__(self, *args: Any) -> Any:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until the server has its own: the parent's would swallow it
        end_with(self._parent)  # otherwise kill -9 leaves this process behind, with the port
        enable_keepalive()
        app = create_app(self._settings)
        gateway, archives = app.extensions["sluice"], app.extensions["sluice-archives"]
        gateway.start()
        archives.start()
        Finalize(None, gateway.prepare_to_stop, exitpriority=0)  # what is counted last is handed over too
        _stop_on_signal(gateway.release_callers, gateway.prepare_to_stop, archives.stop)
        return app


def _stop_on_signal(release_callers: Callable[[], None], *stop: Callable[[], None]) -> None:
    """At the first signal call each ``stop``; some seconds later ``release_callers``, which sends them home with a 202.

    The server installs its own handlers after this, so the signal is seen through Python's wake-up file descriptor.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def watch() -> None:
        os.read(read_end, 1)
        for one in stop:
            one()
        threading.Event().wait(DRAIN_S)
        release_callers()

    threading.Thread(target=watch, name="sluice-drain", daemon=True).start()
