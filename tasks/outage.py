"""What the exception of a broker's or a result backend's client says of its server.

``is_outage``: whether it passes by waiting, or what was asked makes no sense. ``cause_of``: what is the matter.
``refusal``: why a Redis that answers does not work. ``sentence_of``: what the server said.

Types and codes of exceptions decide, never where they surfaced, nor their texts: kombu's Redis transport counts every
``KeyError`` and redis-py every refusal among its own errors, so that one message of a client could pass for a broker
that is away, for ever; and redis-py's texts quote commands, and so messages.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum

import amqp
import redis
from kombu.exceptions import OperationalError
from redis import exceptions as redis_errors


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


#: The first words of Redis's answers that redis-py takes away, for it has a class for them.
CODES: dict[type[redis.RedisError], str] = {
    redis_errors.BusyLoadingError: "LOADING",
    redis_errors.ClusterCrossSlotError: "CROSSSLOT",
    redis_errors.ClusterDownError: "CLUSTERDOWN",
    redis_errors.ExecAbortError: "EXECABORT",
    redis_errors.MasterDownError: "MASTERDOWN",
    redis_errors.MovedError: "MOVED",
    redis_errors.NoPermissionError: "NOPERM",
    redis_errors.OutOfMemoryError: "OOM",
    redis_errors.ReadOnlyError: "READONLY",
    redis_errors.TryAgainError: "TRYAGAIN",
}
#: With these Redis refuses what everybody asks of it, as if it were away.
REFUSALS = frozenset({"READONLY", "OOM", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "BUSY", "UNBLOCKED"})
#: Redis refuses this user, or does not say what it refuses: waiting for its operator loses nothing.
WORTH_WAITING = REFUSALS | {"NOPERM", "TRYAGAIN", "EXECABORT"}
#: Redis 6.2 puts this before what a command of a script was answered, which follows ``QUOTED``.
SCRIPT, QUOTED = "Error running script ", ": -"

REDIS_CAUSES = {
    "CLUSTERDOWN": Cause.CLUSTER,
    "CROSSSLOT": Cause.CLUSTER,
    "DENIED": Cause.PROTECTED,
    "LOADING": Cause.LOADING,
    "MASTERDOWN": Cause.READ_ONLY,
    "MISCONF": Cause.DISK,
    "MOVED": Cause.CLUSTER,
    "NOPERM": Cause.PERMISSION,
    "OOM": Cause.FULL,
    "READONLY": Cause.READ_ONLY,
}
#: Redis gives these no code of their own.
REDIS_SENTENCES = {
    "DB index is out of range": Cause.DATABASE,
    "invalid DB index": Cause.DATABASE,
    "max number of clients reached": Cause.CLIENTS,
}
#: redis-py puts the command before this, and so what was to be written.
CAUSED = "caused error: "


def is_outage(exc: BaseException) -> bool:
    """Whether trying again later makes sense; kombu's wrapper of an error is what it wraps."""
    if isinstance(exc, OperationalError):
        return exc.__cause__ is None or is_outage(exc.__cause__)
    if isinstance(exc, amqp.FrameSyntaxError):
        return False  # py-amqp calls this a lost connection, and raises it over what it is given to send
    if isinstance(exc, amqp.AccessRefused):
        return _is_login(exc)
    if isinstance(exc, redis.ResponseError):
        return _code(exc) in WORTH_WAITING
    return isinstance(exc, (amqp.ConnectionError, redis.ConnectionError, redis.TimeoutError, OSError))


def refusal(exc: redis.RedisError) -> str | None:
    """Redis's word for why it refuses, if others are refused too; None if the error is about what was asked."""
    code = _code(exc)
    return code if isinstance(exc, redis.ResponseError) and code in REFUSALS else None


def sentence_of(exc: amqp.AMQPError | redis.RedisError) -> str:
    """What the server said, without what it was asked."""
    return str(exc).rpartition(CAUSED)[2]


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


def _code(exc: redis.RedisError) -> str:
    """The first word of Redis's answer: its code, if it has one of its own."""
    text = str(exc)
    if text.startswith(SCRIPT):
        text = text.partition(QUOTED)[2]
    return CODES.get(type(exc)) or text.partition(" ")[0]


def _of_redis(exc: BaseException) -> tuple[Cause, str] | None:
    if not isinstance(exc, redis.RedisError):
        return None
    if isinstance(exc, redis_errors.AuthenticationError):
        return (Cause.NO_LOGIN if _asks_for_login(exc) else Cause.LOGIN), ""
    if isinstance(exc, redis_errors.AuthenticationWrongNumberOfArgsError):
        return Cause.LOGIN, ""
    if isinstance(exc, redis_errors.InvalidResponse):
        return Cause.FOREIGN, ""
    if isinstance(exc, redis.TimeoutError):
        return Cause.TIMEOUT, ""
    refused = refusal(exc)
    said = f"Redis refuses to work: {refused}" if refused else ""
    cause = REDIS_CAUSES.get(_code(exc)) or REDIS_SENTENCES.get(str(exc)) or (Cause.OTHER if refused else None)
    if cause is not None:
        return cause, said
    return (Cause.CLOSED, "") if isinstance(exc, redis.ConnectionError) else None


def _asks_for_login(exc: redis_errors.AuthenticationError) -> bool:
    return getattr(exc, "status_code", None) == "NOAUTH" or str(exc) == "Authentication required."


def _of_amqp(exc: BaseException) -> tuple[Cause, str] | None:
    if not isinstance(exc, amqp.AMQPError):
        return None
    said = str(exc.reply_text or "").partition(" - ")[2]
    if isinstance(exc, amqp.AccessRefused):
        return (Cause.LOGIN, "") if _is_login(exc) else (Cause.PERMISSION, said)
    if isinstance(exc, amqp.NotAllowed):
        return Cause.VIRTUAL_HOST, said
    if isinstance(exc, amqp.UnexpectedFrame):
        return Cause.FOREIGN, ""
    if isinstance(exc, amqp.ConnectionForced):
        return Cause.CLOSED, said
    return (Cause.CLOSED, "") if isinstance(exc, amqp.ConnectionError) else None


def _is_login(exc: amqp.AccessRefused) -> bool:
    """Whether RabbitMQ refuses the login itself, for which it names no method and gives no reason."""
    return not exc.method_name


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
