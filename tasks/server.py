"""The two servers that every part talks to, and what is said when one of them cannot be used."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from sluice.config.describe import masked_url
from sluice.config.settings import Settings
from sluice.tasks import keys
from sluice.tasks.app import settings_of
from sluice.tasks.errors import BackendUnavailable, BrokerUnavailable, ServerUnavailable
from sluice.tasks.outage import LASTING, Cause, cause_of
from sluice.tasks.redis_client import connect

RETRY_AFTER_S = 2.0
CHECK_TIMEOUT_S = 5.0
START_IT = "start the service with `sluice up`, or set {setting}"

#: For each cause what is the matter, and what to do. ``{tls}`` is the scheme with TLS, ``{plain}`` that without.
SENTENCES = {
    Cause.UNKNOWN_HOST: ("cannot be reached (unknown host name)", "correct {setting}"),
    Cause.NOT_RUNNING: ("cannot be reached (connection refused)", "start it, or correct {setting}"),
    Cause.UNREACHABLE: ("cannot be reached", "look at the network, or correct {setting}"),
    Cause.TIMEOUT: (
        "cannot be reached (no answer in time)",
        "it may be overloaded, frozen or behind a firewall{full}; else correct {setting}{other_tls}",
    ),
    Cause.LOGIN: ("refuses the user name or the password", "correct {setting}"),
    Cause.NO_LOGIN: ("asks for a password", "put it into {setting}, as in {scheme}://:PASSWORD@HOST"),
    Cause.VIRTUAL_HOST: ("refuses the virtual host", "correct the path of {setting}, or make that virtual host"),
    Cause.PERMISSION: ("does not allow this user enough", "give the user of {setting} {rights}"),
    Cause.DATABASE: ("has no such database", "correct the number at the end of {setting}"),
    Cause.NO_TLS: ("does not speak TLS there", "write {plain}:// in {setting}, or the port that has TLS"),
    Cause.CERTIFICATE: (
        "shows a certificate that is not trusted",
        "trust its authority on this machine, or correct the host of {setting}",
    ),
    Cause.CLOSED: (
        "cannot be reached (it closed the connection)",
        "it may be stopping; else correct {setting}: a port with TLS needs {tls}://, another kind of server another"
        " scheme",
    ),
    Cause.PROTECTED: (
        "is in protected mode and takes connections of its own machine only",
        "give it a password (requirepass), and put that into {setting}",
    ),
    Cause.FULL: ("is full, at its maxmemory", "raise its maxmemory, or remove what fills it ({setting})"),
    Cause.READ_ONLY: ("takes no writes, for it is a replica", "point {setting} at the primary"),
    Cause.DISK: ("takes no writes, for it cannot save to its disk", "see its log and its disk ({setting})"),
    Cause.LOADING: ("is loading its data", "wait until it has ({setting})"),
    Cause.CLIENTS: ("has no room for more connections", "raise its maxclients ({setting})"),
    Cause.CLUSTER: ("is a Redis Cluster", "point {setting} at a single Redis: a cluster cannot be used"),
    Cause.FOREIGN: ("gives answers of another kind of server", "correct {setting}"),
    Cause.OTHER: ("cannot be used", "see {setting}"),
}


def connection_errors(app: Celery) -> tuple[type[Exception], ...]:
    """What kombu raises when the broker does not do what it is asked, wherever it notices."""
    connection = app.connection_for_write()
    errors = {OperationalError, *connection.connection_errors, *connection.channel_errors}
    return tuple(errors - {KeyError})  # of which kombu's Redis transport makes one, for a defect of its own


@dataclass(frozen=True, slots=True)
class Server:
    """The broker or the result backend of some settings.

    Attributes:
        role: ``broker`` or ``result backend``.
        setting: the variable that names it, or that should.
        url: credentials included: never log it.
        embedded: it is the Redis that ``sluice up`` starts.
    """

    role: str
    setting: str
    url: str
    embedded: bool

    @classmethod
    def broker(cls, settings: Settings) -> Server:
        return cls("broker", "SLUICE_BROKER_URL", settings.broker, settings.broker == settings.embedded_url)

    @classmethod
    def backend(cls, settings: Settings) -> Server:
        named = settings.result_backend is not None or settings.uses_amqp
        setting = "SLUICE_RESULT_BACKEND" if named else "SLUICE_BROKER_URL"
        return cls("result backend", setting, settings.backend, settings.backend == settings.embedded_url)

    @classmethod
    def at(cls, url: str) -> Server:
        """A result backend of which no more is known than its URL."""
        return cls("result backend", "SLUICE_RESULT_BACKEND", url, embedded=False)

    @property
    def missing(self) -> bool:
        """RabbitMQ was named as the broker, and nothing as the place for results."""
        return self.embedded and self.setting == "SLUICE_RESULT_BACKEND"

    def unavailable(self, exc: BaseException) -> ServerUnavailable:
        """The error that a client's exception stands for, ready to be raised."""
        cause, said = cause_of(exc)
        what, remedy = self._sentence(cause)
        matter = f"{what} ({said})" if said else what
        kind = BrokerUnavailable if self.role == "broker" else BackendUnavailable
        return kind(
            f"the {self.role} {matter}: {remedy}",
            {"cause": str(cause), "setting": self.setting},
            retry_after_s=RETRY_AFTER_S,
            operator_message=f"the {self.role} at {masked_url(self.url)} {matter}: {remedy}",
            lasting=cause in LASTING,
        )

    def ask(self, command: Callable[..., Any], *args: object, **options: object) -> Any:
        """What ``command(*args, **options)`` of a Redis client returns.

        Raises:
            BackendUnavailable: Redis did not answer, or refused.
        """
        try:
            return command(*args, **options)
        except redis.RedisError as exc:
            raise self.unavailable(exc) from exc

    def _sentence(self, cause: Cause) -> tuple[str, str]:
        what, remedy = SENTENCES[cause]
        scheme = self.url.partition("://")[0]
        amqp = "amqp" in scheme
        if cause is Cause.NOT_RUNNING and self.missing:
            what, remedy = "cannot be reached (RabbitMQ keeps no results)", "set {setting} to a Redis"
        elif cause is Cause.NOT_RUNNING and self.embedded:
            what, remedy = "cannot be reached (it does not run)", START_IT
        elif cause is Cause.NOT_RUNNING and scheme == "redis+socket":
            what = "cannot be reached (nothing answers on its socket)"
        return what, remedy.format(
            setting=self.setting,
            scheme=scheme,
            plain="amqp" if amqp else "redis",
            tls="amqps" if amqp else "rediss",
            full=", or RabbitMQ's memory or disk may be full" if amqp else "",
            other_tls="" if scheme not in ("rediss", "amqps") else " (it may not speak TLS there)",
            rights="the permissions to configure, write and read" if amqp else "all commands, keys and channels",
        )


def check(app: Celery) -> list[ServerUnavailable]:
    """Connect to the broker and to the result backend; returns what is wrong with them."""
    settings, found = settings_of(app), []
    try:
        with app.connection_for_write() as connection:
            connection.connect()
            connection.default_channel.close()
    except connection_errors(app) as exc:
        found.append(Server.broker(settings).unavailable(exc))
    client = connect(settings.backend, socket_timeout=CHECK_TIMEOUT_S)
    try:
        Server.backend(settings).ask(client.zcard, keys.WORKERS)
    except BackendUnavailable as exc:
        found.append(exc)
    finally:
        client.close()
    return found


def require_usable(app: Celery) -> None:
    """Fail when a server refuses for a reason that will not pass; one that is away may come back.

    Raises:
        ServerUnavailable: it refuses.
    """
    for error in check(app):
        if error.lasting:
            raise error


class Availability:
    """Whether a server can be used, logged when it changes and not at every try.

    Several threads that try again and again may share one: it has changed for the better when it has for all of them.

    Args:
        log: where to.
        consequence: what follows while it cannot be used.
        level: lower where somebody else tells the operator.
    """

    def __init__(
        self, server: Server, log: logging.Logger, consequence: str = "", *, level: int = logging.WARNING
    ) -> None:
        self._level = level
        self._server = server
        self._log = log
        self._consequence = f"; {consequence}" if consequence else ""
        self._mutex = threading.Lock()
        self._without: set[int] = set()  # threads
        self._logged: set[str] = set()
        self._since = 0.0

    @property
    def lasts(self) -> bool:
        """Whether it cannot be used at present."""
        return bool(self._without)

    def lost(self, exc: BaseException) -> ServerUnavailable:
        """The error that ``exc`` stands for; it is logged unless it was since the server could last be used."""
        error = exc if isinstance(exc, ServerUnavailable) else self._server.unavailable(exc)
        with self._mutex:
            if not self._without:
                self._since = time.monotonic()
            self._without.add(threading.get_ident())
            new = error.message not in self._logged
            self._logged.add(error.message)
        if new:
            self._log.log(self._level, "%s%s", error.operator_message, self._consequence)
        return error

    def back(self) -> None:
        """This thread can use it."""
        if not self._without:  # without the lock: this is the way of every message
            return
        with self._mutex:
            self._without.discard(threading.get_ident())
            over = not self._without and bool(self._logged)
            if over:
                self._logged.clear()
        if over:
            away_s = time.monotonic() - self._since
            self._log.log(self._level, "the %s can be used again, after %.0f s", self._server.role, away_s)
