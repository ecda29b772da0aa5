"""Clients that vanish without a word, such as a laptop that is closed during an upload."""

from __future__ import annotations

import os
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path

#: Seconds of silence before the kernel asks whether a client is still there, seconds between two such questions, and
#: how many may stay unanswered until it ends the connection.
IDLE_S, EVERY_S, QUESTIONS = 60, 15, 4


def ask_after_clients() -> None:
    """Have the kernel end connections of this process whose other side is gone. Linux only.

    The WSGI server reads without a limit in time, and neither takes such a setting nor gives its sockets away: so they
    are looked for among the process's files. Those that listen pass the setting on to what they accept.
    """
    if sys.platform != "linux":
        return
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed meanwhile, or no TCP
            copy = os.dup(int(path.name))
            if not stat.S_ISSOCK(os.fstat(copy).st_mode):
                os.close(copy)
                continue
            with socket.socket(fileno=copy) as connection:
                _keep_alive(connection)


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, EVERY_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, QUESTIONS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
