"""A real Redis and a real RabbitMQ on private ports, with their data in a folder of the test run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import amqp
import redis

from sluice.harness.process import Child, free_port, wait_for

RABBITMQCTL = Path("/usr/lib/rabbitmq/bin/rabbitmqctl"), Path("/usr/local/sbin/rabbitmqctl")
RABBITMQ_SCRIPTS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/usr/local/sbin/rabbitmq-server"))


class Missing(RuntimeError):
    """A server is not installed on this machine."""


class RedisServer:
    """``redis-server`` with an append-only file, so that it can be killed and come back."""

    scheme = "redis"

    def __init__(self, folder: Path, *options: str, login: str = "") -> None:
        """``options`` go to the server; ``login`` is ``user:password@``, where those ask for one."""
        binary = shutil.which("redis-server")
        if binary is None:
            raise Missing("redis-server is not installed: run `make setup`")
        self._binary = binary
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://{login}127.0.0.1:{self.port}/0"
        self._options = options
        self._child: Child | None = None

    def start(self) -> None:
        options = f"--port {self.port} --bind 127.0.0.1 --appendonly yes --appendfsync everysec --save".split()
        command = [self._binary, *options, "", "--dir", str(self._folder), *self._options]
        self._child = Child(command, self._folder / "redis.log")
        client = redis.Redis.from_url(self.url)
        wait_for(lambda: _answers(client), "Redis")
        client.close()

    def stop(self) -> None:
        if self._child:
            self._child.stop()

    def kill(self) -> None:
        if self._child:
            self._child.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


class RabbitServer:
    """A RabbitMQ node of its own: own data, own ports, own ``epmd``.

    Args:
        password: of the user ``guest``.
    """

    scheme = "amqp"

    def __init__(self, folder: Path, password: str = "guest") -> None:
        script = next((path for path in RABBITMQ_SCRIPTS if path.exists()), None)
        if script is None or shutil.which("epmd") is None:
            raise Missing("rabbitmq-server is not installed: run `make setup`")
        self._script = str(script)
        self._folder = folder
        self._port, self._epmd_port = free_port(), free_port()
        self._password = password
        self.url = f"amqp://guest:{quote(password, safe='')}@127.0.0.1:{self._port}//"
        self._epmd: Child | None = None
        self._child: Child | None = None
        plugins = folder / "enabled_plugins"
        plugins.write_text("[].\n")
        config = folder / "rabbitmq.conf"
        config.write_text(f"default_pass = {password}\n")
        self._env = {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_PID_FILE": str(folder / "rabbit.pid"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def start(self) -> None:
        if self._epmd is None:
            epmd = shutil.which("epmd") or "epmd"
            command = [epmd, "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            self._epmd = Child(command, self._folder / "epmd.log")
        self._child = Child([self._script], self._folder / "rabbit.log", self._env)
        wait_for(self._ready, "RabbitMQ", timeout_s=90, every_s=0.2)

    def _ready(self) -> bool:
        if self._child is not None and self._child.returncode is not None:
            raise RuntimeError(f"RabbitMQ ended:\n{self._child.output()[-3000:]}")
        try:
            with amqp.Connection(f"127.0.0.1:{self._port}", password=self._password, connect_timeout=1):
                return True
        except (OSError, amqp.AMQPError):
            return False

    def set_policy(self, name: str, pattern: str, definition: dict[str, object]) -> None:
        """Set a policy for the queues whose names match ``pattern``, as an operator would."""
        self.control("set_policy", name, pattern, json.dumps(definition), "--apply-to", "queues")

    def clear_policy(self, name: str) -> None:
        self.control("clear_policy", name)

    def control(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` on this node; returns what it prints."""
        script = str(next(path for path in RABBITMQCTL if path.exists()))
        command = [script, "--quiet", "-n", self._env["RABBITMQ_NODENAME"], *arguments]
        done = subprocess.run(
            command, env={**os.environ, **self._env}, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl: {done.stdout}{done.stderr}")
        return done.stdout

    def stop(self) -> None:
        """End the node; ``close`` ends its ``epmd`` too."""
        if self._child:
            self._child.stop()

    def kill(self) -> None:
        """``kill -9`` the node itself; its start script ends with it."""
        os.kill(int((self._folder / "rabbit.pid").read_text()), signal.SIGKILL)
        if self._child:
            self._child.wait()

    def freeze(self) -> None:
        """Let the node hold its connections and do nothing, until ``thaw``."""
        os.kill(int((self._folder / "rabbit.pid").read_text()), signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(int((self._folder / "rabbit.pid").read_text()), signal.SIGCONT)

    def close(self) -> None:
        self.stop()
        if self._epmd:
            self._epmd.stop()
        _end_recorded(self._folder / "rabbit.pid")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def _end_recorded(pid_file: Path) -> None:
    """The start script may leave the node behind when it is killed; its own pid file names it."""
    if not pid_file.is_file():
        return
    pid = int(pid_file.read_text().strip() or 0)
    ends = time.monotonic() + 10
    while pid and Path(f"/proc/{pid}").exists() and time.monotonic() < ends:
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.2)
