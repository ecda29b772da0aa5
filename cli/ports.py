"""Whether a server of ours can have its address: asked before anything is started."""

from __future__ import annotations

import errno
import socket

from sluice.tasks.errors import SluiceError


def require_free(host: str, port: int, setting: str) -> None:
    """Fail when ``host`` and ``port`` cannot be listened on.

    Args:
        setting: the variable of the port.

    Raises:
        SluiceError: says which setting is to be changed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise SluiceError(
            f"SLUICE_HOST={host!r} is neither an address nor the name of one: 127.0.0.1 is this machine alone,"
            " 0.0.0.0 all its addresses"
        ) from None
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as exc:
            raise SluiceError(f"cannot listen on {host}:{port} ({exc.strerror}): {_advice(exc, setting)}") from exc


def _advice(exc: OSError, setting: str) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"set {setting} to another port, or end what has this one"
    if exc.errno == errno.EACCES:
        return f"ports below 1024 need privileges, so set {setting} to one above"
    return "set SLUICE_HOST to an address of this machine"
