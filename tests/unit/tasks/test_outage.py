"""What an error of a server's client says of its server: Redis's own answers, RabbitMQ's, and the system's."""

from __future__ import annotations

import errno
import socket
import ssl

import amqp
import pytest
import redis
from kombu.exceptions import OperationalError
from redis.connection import DefaultParser

from sluice.tasks.outage import Cause, cause_of, is_outage, refusal, sentence_of

#: Of a script, as Redis 6.2 tells it.
SCRIPT = "ERR Error running script (call to f_50142d15): @user_script:1: @user_script: 1: -"

#: Redis's answers, as read from real servers: is it an outage, the refusal of all, the cause.
ANSWERS = {
    "READONLY You can't write against a read only replica.": (True, "READONLY", Cause.READ_ONLY),
    "READONLY You can't write … script: 50142d15, on @user_script:1.": (True, "READONLY", Cause.READ_ONLY),
    "MASTERDOWN Link with MASTER is down": (True, "MASTERDOWN", Cause.READ_ONLY),
    "OOM command not allowed when used memory > 'maxmemory'.": (True, "OOM", Cause.FULL),
    "MISCONF Redis is configured to save RDB snapshots": (True, "MISCONF", Cause.DISK),
    "NOREPLICAS Not enough good replicas to write.": (True, "NOREPLICAS", Cause.OTHER),
    "BUSY Redis is busy running a script.": (True, "BUSY", Cause.OTHER),
    "UNBLOCKED force unblock from blocking operation": (True, "UNBLOCKED", Cause.OTHER),
    "CLUSTERDOWN The cluster is down": (True, "CLUSTERDOWN", Cause.CLUSTER),
    f"{SCRIPT}READONLY You can't write against a read only replica.": (True, "READONLY", Cause.READ_ONLY),
    f"{SCRIPT}OOM command not allowed when used memory > 'maxmemory'.": (True, "OOM", Cause.FULL),
    f"{SCRIPT}MISCONF Redis is configured to save": (True, "MISCONF", Cause.DISK),
    f"{SCRIPT}NOREPLICAS Not enough good replicas to write.": (True, "NOREPLICAS", Cause.OTHER),
    "LOADING Redis is loading the dataset in memory": (True, None, Cause.LOADING),
    "NOPERM this user has no permissions to run the 'get' command": (True, None, Cause.PERMISSION),
    "EXECABORT Transaction discarded because of previous errors.": (True, None, None),
    "TRYAGAIN Multiple keys request during rehashing of slot": (True, None, None),
    "NOAUTH Authentication required.": (True, None, Cause.NO_LOGIN),
    "WRONGPASS invalid username-password pair or user is disabled.": (True, None, Cause.LOGIN),
    "ERR max number of clients reached": (True, None, Cause.CLIENTS),
    "DENIED Redis is running in protected mode": (False, None, Cause.PROTECTED),
    "ERR DB index is out of range": (False, None, Cause.DATABASE),
    "MOVED 3999 127.0.0.1:6381": (False, None, Cause.CLUSTER),
    "CROSSSLOT Keys in request don't hash to the same slot": (False, None, Cause.CLUSTER),
    "WRONGTYPE Operation against a key holding the wrong kind of value": (False, None, None),
    "ERR Error running script (call to f_66): @user_script:1: WRONGTYPE Operation against": (False, None, None),
    "ERR unknown command 'NOPE', with args beginning with: 'READONLY' ": (False, None, None),
    "ERR unknown command `READONLY`, with args beginning with: `: -READONLY `, ": (False, None, None),
    "BUSYGROUP Consumer Group name already exists": (False, None, None),
    "NOSCRIPT No matching script.": (False, None, None),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_redis_is_understood_by_its_codes(answer: str) -> None:
    outage, refused, cause = ANSWERS[answer]
    error = DefaultParser(socket_read_size=1).parse_error(answer)
    assert is_outage(error) is outage
    assert refusal(error) == refused
    assert cause_of(error)[0] is (cause or Cause.OTHER)
    assert cause_of(error)[1] == (f"Redis refuses to work: {refused}" if refused else "" if cause else _class(error))


def _class(error: BaseException) -> str:
    return type(error).__name__


PUBLISH = (60, 40)
ERRORS = {
    "login": (amqp.AccessRefused("ACCESS_REFUSED - Login was refused"), Cause.LOGIN, ""),
    "permission": (
        amqp.AccessRefused("ACCESS_REFUSED - write refused", PUBLISH, "Basic.publish"),
        Cause.PERMISSION,
        "write refused",
    ),
    "virtual host": (amqp.NotAllowed("NOT_ALLOWED - vhost nope not found"), Cause.VIRTUAL_HOST, "vhost nope not found"),
    "forced": (amqp.ConnectionForced("CONNECTION_FORCED - broker forced"), Cause.CLOSED, "broker forced"),
    "another server": (amqp.UnexpectedFrame("Received 0x2d"), Cause.FOREIGN, ""),
    "no such queue": (amqp.NotFound("NOT_FOUND - no queue"), Cause.OTHER, "NotFound"),
    "unknown host": (socket.gaierror(-2, "Name or service not known"), Cause.UNKNOWN_HOST, ""),
    "refused": (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), Cause.NOT_RUNNING, ""),
    "no socket": (FileNotFoundError(errno.ENOENT, "No such file"), Cause.NOT_RUNNING, ""),
    "reset": (ConnectionResetError(errno.ECONNRESET, "reset"), Cause.CLOSED, ""),
    "no answer": (TimeoutError("timed out"), Cause.TIMEOUT, ""),
    "no route": (OSError(errno.EHOSTUNREACH, "No route to host"), Cause.UNREACHABLE, "No route to host"),
    "no TLS": (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), Cause.NO_TLS, ""),
    "silent end": (OSError("Server unexpectedly closed connection"), Cause.CLOSED, ""),
    "Redis, lost": (redis.ConnectionError("Connection closed by server."), Cause.CLOSED, ""),
    "Redis, no answer": (redis.TimeoutError("Timeout reading from socket"), Cause.TIMEOUT, ""),
    "Redis, another server": (redis.InvalidResponse("Protocol Error: b'AMQP'"), Cause.FOREIGN, ""),
}
#: Of those, what no waiting mends.
FAULTS = {"no such queue", "permission", "Redis, another server"}


@pytest.mark.parametrize("name", ERRORS)
def test_causes_of_lost_connections(name: str) -> None:
    error, cause, said = ERRORS[name]
    assert cause_of(error) == (cause, said)
    assert is_outage(error) is (name not in FAULTS)


def test_an_error_is_what_it_was_raised_from() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    lost = redis.ConnectionError("Error 111 connecting")
    lost.__cause__ = refused
    assert cause_of(lost)[0] is Cause.NOT_RUNNING
    wrapper = OperationalError("Error 111 connecting")
    assert is_outage(wrapper)
    wrapper.__cause__ = lost
    assert is_outage(wrapper)
    assert cause_of(wrapper)[0] is Cause.NOT_RUNNING
    wrapper.__cause__ = KeyError("zstd")
    assert not is_outage(wrapper)


@pytest.mark.parametrize("error", [KeyError("zstd"), ValueError("x"), amqp.FrameSyntaxError("x"), redis.DataError("x")])
def test_a_bad_message_is_no_outage(error: Exception) -> None:
    assert not is_outage(error)


def test_what_was_asked_is_not_quoted() -> None:
    asked = redis.ResponseError(
        "Command # 1 (SET key SECRET) of pipeline caused error: WRONGTYPE Operation against a key"
    )
    assert sentence_of(asked) == "WRONGTYPE Operation against a key"
