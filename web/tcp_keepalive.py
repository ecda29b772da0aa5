"""Clients that vanish without a word, such as a laptop that is closed during an upload."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

#: Seconds of silence before the kernel asks whether a client is still there, seconds between two such questions, and
#: how many may stay unanswered until it ends the connection.
IDLE_S, EVERY_S, QUESTIONS = 60, 15, 4
#: Seconds that the server may take to listen, and between two looks at whether it does.
START_S, POLL_S = 60.0, 0.1


def enable_keepalive() -> None:
    """Have the kernel end connections to this process whose other side is gone; returns at once. Linux only.

    The WSGI server reads without a limit in time, and neither takes such a setting nor gives its socket away: so the
    socket that listens, which passes the setting on to what it accepts, is awaited among the process's files.
    """
    if sys.platform == "linux":
        threading.Thread(target=_await_listening, name="sluice-keepalive", daemon=True).start()


def _await_listening() -> None:
    ends = time.monotonic() + START_S
    while not (listening := _listening()) and time.monotonic() < ends:
        time.sleep(POLL_S)
    for one in listening:
        with one:
            _keep_alive(one)


def _listening() -> list[socket.socket]:
    """Copies of this process's TCP sockets that listen."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            if stat.S_ISSOCK(path.stat().st_mode):
                one = socket.socket(fileno=os.dup(int(path.name)))
                if one.family != socket.AF_UNIX and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.append(one)
                else:
                    one.close()
    return found


def _keep_alive(listening: socket.socket) -> None:
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, EVERY_S)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, QUESTIONS)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
