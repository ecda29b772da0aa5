"""Why a broker or a result backend cannot be used, by the exception that its client raised.

The types and codes of exceptions decide, never their texts: redis-py's quote commands, and so messages.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum

import amqp
import redis
from redis import exceptions as redis_errors

from sluice.tasks.refusal import refusal

#: First words of Redis's errors that redis-py has no class of its own for.
DENIED, MISCONF, CLUSTER = "DENIED", "MISCONF", ("CROSSSLOT", "CLUSTERDOWN", "MOVED")
BAD_DATABASE = ("DB index is out of range", "invalid DB index")
MOST_CLIENTS = "max number of clients reached"


class Cause(StrEnum):
    """What is the matter with a server; the values are stable, HTTP answers name them."""

    UNKNOWN_HOST = "unknown_host"
    NOT_RUNNING = "not_running"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    LOGIN = "login"
    NO_LOGIN = "no_login"
    VIRTUAL_HOST = "virtual_host"
    PERMISSION = "permission"
    DATABASE = "database"
    NO_TLS = "no_tls"
    CERTIFICATE = "certificate"
    CLOSED = "closed"
    PROTECTED = "protected"
    FULL = "full"
    READ_ONLY = "read_only"
    DISK = "disk"
    LOADING = "loading"
    CLIENTS = "clients"
    CLUSTER = "cluster"
    FOREIGN = "foreign"
    OTHER = "other"


#: What does not pass by itself: a part that finds it when it starts says so and ends.
LASTING = frozenset(
    {
        Cause.LOGIN,
        Cause.NO_LOGIN,
        Cause.VIRTUAL_HOST,
        Cause.PERMISSION,
        Cause.DATABASE,
        Cause.NO_TLS,
        Cause.CERTIFICATE,
        Cause.PROTECTED,
        Cause.CLUSTER,
        Cause.FOREIGN,
    }
)


def cause_of(exc: BaseException) -> tuple[Cause, str]:
    """The cause, and the server's or the system's own words for it, if they can hold nothing of a message."""
    for one in _behind(exc):
        found = _of_redis(one) or _of_amqp(one) or _of_system(one)
        if found is not None:
            return found
    return Cause.OTHER, type(exc).__name__


def _behind(exc: BaseException) -> Iterator[BaseException]:
    """``exc`` and what it was raised from: the innermost tells most, and a login that was refused tells enough."""
    chain: list[BaseException] = []
    following: BaseException | None = exc
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    # redis-py's own errors of connections say less than what the system said; everything else is said by the outermost.
    return iter(sorted(chain, key=lambda one: type(one) in (redis.ConnectionError, redis.TimeoutError)))


def _of_redis(exc: BaseException) -> tuple[Cause, str] | None:
    if not isinstance(exc, redis.RedisError):
        return None
    word = str(exc).partition(" ")[0]
    refused = refusal(exc)
    said = f"Redis refuses to work: {refused}" if refused else ""
    by_class = {
        redis_errors.AuthenticationWrongNumberOfArgsError: Cause.LOGIN,
        redis_errors.NoPermissionError: Cause.PERMISSION,
        redis_errors.OutOfMemoryError: Cause.FULL,
        redis_errors.ReadOnlyError: Cause.READ_ONLY,
        redis_errors.MasterDownError: Cause.READ_ONLY,
        redis_errors.BusyLoadingError: Cause.LOADING,
        redis_errors.ClusterDownError: Cause.CLUSTER,
        redis_errors.ClusterCrossSlotError: Cause.CLUSTER,
        redis_errors.MovedError: Cause.CLUSTER,
        redis_errors.InvalidResponse: Cause.FOREIGN,
        redis_errors.TimeoutError: Cause.TIMEOUT,
    }
    if isinstance(exc, redis_errors.AuthenticationError):
        return (Cause.NO_LOGIN if _asks_for_login(exc) else Cause.LOGIN), ""
    for kind, cause in by_class.items():
        if isinstance(exc, kind):
            return cause, said
    if word == DENIED:
        return Cause.PROTECTED, ""
    if word == MISCONF:
        return Cause.DISK, said
    if str(exc).removeprefix("ERR ") in BAD_DATABASE:
        return Cause.DATABASE, ""
    if str(exc) == MOST_CLIENTS:
        return Cause.CLIENTS, ""
    if said:
        return Cause.OTHER, said
    return (Cause.CLOSED, "") if isinstance(exc, redis.ConnectionError) else None


def _asks_for_login(exc: redis_errors.AuthenticationError) -> bool:
    return getattr(exc, "status_code", None) == "NOAUTH" or str(exc) == "Authentication required."


def _of_amqp(exc: BaseException) -> tuple[Cause, str] | None:
    if not isinstance(exc, amqp.AMQPError):
        return None
    said = str(exc.reply_text or "").partition(" - ")[2]
    if isinstance(exc, amqp.AccessRefused):
        # Without a method it is the login itself that is refused; RabbitMQ then says no more than that.
        return (Cause.PERMISSION, said) if exc.method_name else (Cause.LOGIN, "")
    if isinstance(exc, amqp.NotAllowed):
        return Cause.VIRTUAL_HOST, said
    if isinstance(exc, amqp.UnexpectedFrame):
        return Cause.FOREIGN, ""
    if isinstance(exc, amqp.ConnectionForced):
        return Cause.CLOSED, said
    return (Cause.CLOSED, "") if isinstance(exc, amqp.ConnectionError) else None


def _of_system(exc: BaseException) -> tuple[Cause, str] | None:
    if not isinstance(exc, OSError):
        return None
    if isinstance(exc, socket.gaierror):
        return Cause.UNKNOWN_HOST, ""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return Cause.CERTIFICATE, exc.verify_message
    if isinstance(exc, ssl.SSLError):
        return Cause.NO_TLS, ""
    if isinstance(exc, TimeoutError):
        return Cause.TIMEOUT, ""
    if isinstance(exc, (ConnectionRefusedError, FileNotFoundError)):
        return Cause.NOT_RUNNING, ""
    if isinstance(exc, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return Cause.CLOSED, ""
    if isinstance(exc, PermissionError):
        return Cause.PERMISSION, exc.strerror or ""
    if exc.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
        return Cause.UNREACHABLE, exc.strerror or ""
    return (Cause.CLOSED, "") if exc.errno is None else None  # py-amqp's: "Server unexpectedly closed connection"
